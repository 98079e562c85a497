import type { RawArchive } from '../../pipeline/raw-archive.js'
import { FrameArchive } from './frame-archive.js'

const PEER = { address: '203.0.113.7', port: 40_112 }

function build(takes: RawArchive['takes'] = 'trackers') {
  const kept: string[] = []
  let dropped = 0
  const archive = {
    takes,
    keep: ({ deviceId, atMs, direction, protocol, link, bytes }) => {
      kept.push(`${deviceId} ${atMs} ${direction} ${protocol} ${link} ${Buffer.from(bytes).toString('hex')}`)
    },
    drop: () => {
      dropped++
    },
  } as Pick<RawArchive, 'takes' | 'keep' | 'drop'> as RawArchive
  return { frames: new FrameArchive(archive), kept, dropped: () => dropped }
}

describe('frames of trackers on their way to the archive', () => {
  it('holds those of a connection until its device is let in, with the times that they came', () => {
    const { frames, kept } = build()
    const connection = frames.openConnection('teltonika', PEER)
    const read = Buffer.from('0011', 'hex')
    connection.take('in', read.subarray(0, 1), 1)
    read.fill(0xff)
    expect(kept).toEqual([])
    connection.admit('7')
    connection.take('out', Buffer.of(1), 3)
    expect(kept).toEqual([
      '7 1 in teltonika tcp:203.0.113.7:40112#1 00',
      '7 3 out teltonika tcp:203.0.113.7:40112#1 01',
    ])
  })

  it('numbers connections, and tells the colons of addresses from that before the port', () => {
    const { frames, kept } = build()
    for (const address of ['::1', '10.0.0.1']) {
      const connection = frames.openConnection('ruptela', { address, port: 5 })
      connection.admit('7')
      connection.take('in', Buffer.of(0), 1)
    }
    frames.keepDatagram('out', Buffer.of(1), { deviceId: '7', protocol: 'queclink', atMs: 2, ...PEER })
    expect(kept).toEqual([
      '7 1 in ruptela tcp:[::1]:5#1 00',
      '7 1 in ruptela tcp:10.0.0.1:5#2 00',
      '7 2 out queclink udp:203.0.113.7:40112 01',
    ])
  })

  it('holds 16 frames and 16 KiB of who has not said who it is, or one frame that is longer', () => {
    const few = build()
    const chatty = few.frames.openConnection('ruptela', PEER)
    for (let n = 0; n < 20; n++) chatty.take('in', Buffer.of(n), n)
    chatty.admit('7')
    expect([few.kept.length, few.dropped()]).toEqual([16, 4])

    const long = build()
    const lengthy = long.frames.openConnection('queclink', PEER)
    lengthy.take('in', Buffer.alloc(20_000), 1)
    lengthy.take('in', Buffer.alloc(1), 2)
    lengthy.admit('7')
    expect([long.kept.length, long.dropped()]).toEqual([1, 1])
  })

  it('takes nothing when the archive is off', () => {
    const { frames, kept, dropped } = build('off')
    const connection = frames.openConnection('ruptela', PEER)
    for (let n = 0; n < 20; n++) connection.take('in', Buffer.of(n), n)
    connection.admit('7')
    frames.keepDatagram('in', Buffer.of(1), { deviceId: '7', protocol: 'queclink', atMs: 2, ...PEER })
    expect([kept, dropped()]).toEqual([[], 0])
  })
})
