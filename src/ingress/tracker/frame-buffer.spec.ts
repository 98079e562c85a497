import { TELTONIKA } from '../../codecs/teltonika/teltonika-codec.js'
import { TRACKER_CODECS } from '../../codecs/tracker-codecs.js'
import { framesOf } from '../../codecs/tracker-frames.contract.js'
import { FrameBuffer } from './frame-buffer.js'

function framesIn(buffer: FrameBuffer): string[] {
  const frames: string[] = []
  for (let frame = buffer.shift(0); frame !== undefined; frame = buffer.shift(0)) frames.push(frame.toString('hex'))
  return frames
}

describe.each(TRACKER_CODECS.map((codec) => [codec.protocol, codec] as const))('frames of %s', (protocol, codec) => {
  const samples = framesOf(protocol).filter(
    ({ direction, transport }) => direction === 'device->server' && transport === 'tcp',
  )
  const all = samples.map(({ hex }) => hex)
  const stream = Buffer.from(all.join(''), 'hex')

  it('come out of one chunk as they went in', () => {
    const buffer = new FrameBuffer(codec)
    buffer.push(stream, 0)
    expect(framesIn(buffer)).toEqual(all)
    expect([buffer.length, buffer.lost]).toEqual([0, undefined])
  })

  it('come out of single bytes, each with its last byte', () => {
    const buffer = new FrameBuffer(codec)
    const frames: string[] = []
    let at = 0
    for (const byte of stream) {
      buffer.push(Buffer.of(byte), 0)
      at++
      const found = framesIn(buffer)
      if (found.length > 0) expect(at).toBe([...frames, ...found].join('').length / 2)
      frames.push(...found)
    }
    expect(frames).toEqual(all)
  })

  it.each(samples.map(({ id, hex }) => [id, hex]))('come out of two parts, wherever %s is cut', (_, hex) => {
    const bytes = Buffer.from(hex, 'hex')
    for (let cut = 1; cut < bytes.length; cut++) {
      const buffer = new FrameBuffer(codec)
      buffer.push(bytes.subarray(0, cut), 0)
      expect(framesIn(buffer)).toEqual([])
      buffer.push(bytes.subarray(cut), 0)
      expect(framesIn(buffer)).toEqual([hex])
    }
  })
})

describe('a stream that is no stream of the protocol', () => {
  it('is lost at once, and what comes after that is not kept', () => {
    const buffer = new FrameBuffer(TELTONIKA)
    buffer.push(Buffer.from('GET / HTTP/1.1\r\n'), 0)
    expect(buffer.shift(0)).toBeUndefined()
    expect(buffer.lost?.code).toBe('bad_identity')
    buffer.push(Buffer.alloc(1000), 0)
    expect(buffer.length).toBe(0)
  })
})

describe('a frame that is not complete', () => {
  it('is as old as its first byte, however late the others come', () => {
    const buffer = new FrameBuffer(TELTONIKA)
    expect(buffer.incompleteSinceMs).toBeUndefined()
    buffer.push(Buffer.from('000f33', 'hex'), 1000)
    expect(buffer.shift(1000)).toBeUndefined()
    buffer.push(Buffer.from('35', 'hex'), 9000)
    expect(buffer.shift(9000)).toBeUndefined()
    expect(buffer.incompleteSinceMs).toBe(1000)
    buffer.push(Buffer.from('36333037303432343431303133', 'hex'), 12_000)
    expect(buffer.shift(12_000)?.length).toBe(17)
    expect(buffer.incompleteSinceMs).toBeUndefined()
  })
})

describe('memory of a frame that is not complete', () => {
  it('is that of its bytes, however much was read with them', () => {
    const buffer = new FrameBuffer(TELTONIKA)
    const half = Buffer.from('000f33353633303730', 'hex')
    buffer.push(Buffer.concat([Buffer.alloc(60_000, 0xff), half]), 0)
    while (buffer.shift(0) !== undefined);
    expect(buffer.length).toBe(half.length)
    const { bytes } = buffer as unknown as { bytes: Buffer }
    expect([bytes.toString('hex'), bytes.buffer.byteLength]).toEqual([half.toString('hex'), half.length])
  })

  it('is not that of thousands of pieces', () => {
    const buffer = new FrameBuffer(TELTONIKA)
    const packet = Buffer.alloc(8000)
    packet.writeUInt32BE(7988, 4)
    for (const byte of packet.subarray(0, -1)) buffer.push(Buffer.of(byte), 0)
    expect((buffer as unknown as { more: Buffer[] }).more.length).toBeLessThan(64)
    expect([buffer.shift(0), buffer.length]).toEqual([undefined, 7999])
  })

  it('keeps the beginning of what made it lost, for inspection', () => {
    const buffer = new FrameBuffer(TELTONIKA)
    buffer.push(Buffer.from('GET / HTTP/1.1\r\n'.repeat(200)), 0)
    expect(buffer.shift(0)).toBeUndefined()
    expect([buffer.lostBytes.length, buffer.lostBytes.toString('latin1', 0, 5)]).toEqual([1024, 'GET /'])
  })
})
