import { DatagramUnit } from '../../../test/support/datagram-unit.js'
import type { DecodeError } from '../../codecs/decode-error.js'
import { encodeAck, encodeFixReport, encodeHeartbeat } from '../../codecs/queclink/encode-report.js'
import { QUECLINK } from '../../codecs/queclink/queclink-codec.js'
import { encodeRecordsFrame, encodeUnitFrame } from '../../codecs/ruptela/encode-records.js'
import { RUPTELA } from '../../codecs/ruptela/ruptela-codec.js'
import type { SentRecord } from '../../codecs/sent-record.js'
import { encodeRecordsDatagram } from '../../codecs/teltonika/encode-records.js'
import { TELTONIKA } from '../../codecs/teltonika/teltonika-codec.js'
import type { TrackerCodec, TrackerMessage, TrackerReply } from '../../codecs/tracker-codec.js'
import { AppError } from '../../model/app-error.js'
import type { CommandOrder } from '../../model/command.js'
import type { DeviceId } from '../../model/device-id.js'
import type { DatagramSender } from './datagram-admission.js'
import { hasDatagrams } from './datagram-codec.js'
import type { DatagramSource } from './datagram-links.js'
import { DatagramRoom } from './datagram-room.js'
import { SentCommands } from './sent-commands.js'
import { type ArrivedDatagram, type DatagramHost, TrackerDatagrams } from './tracker-datagrams.js'
import type { TrackerDevice } from './tracker-device.js'
import type { TrackerLink } from './tracker-link.js'

const IMEI = '352093086403655'
const OTHER = '356307042441013'
const STRANGER = '868324023580306'

function record(n: number): SentRecord {
  return {
    timeMs: 1_700_000_000_000 + n * 1000,
    latitude: 48,
    longitude: 11.5,
    altitudeM: 500,
    speedKmh: n % 100,
    headingDeg: 90,
    satellites: 9,
    eventId: 0,
    elements: [],
  }
}

const teltonika = (imei: string, n: number) =>
  encodeRecordsDatagram(imei, { packetId: n, avlPacketId: 5 }, '8', [record(n)])
const acked = (n: number) => `0005${n.toString(16).padStart(4, '0')}010501`

/** A server's rest that knows two devices and stores in memory. */
class MemoryHost implements DatagramHost {
  readonly codec
  readonly sent = new SentCommands()
  room = new DatagramRoom(100, 100_000)
  readonly known = new Set<string>([IMEI, OTHER])
  readonly stored: string[] = []
  readonly refusals: string[] = []
  readonly failures: unknown[] = []
  readonly unreadable: string[] = []
  readonly read: string[] = []
  readonly archived: string[] = []
  readonly opened: TrackerLink[] = []
  readonly ended: TrackerLink[] = []
  readonly lateReplies: TrackerReply[] = []
  heardCount = 0
  answeredCount = 0
  sack = false
  isAskable = true
  /** What becomes of records. */
  settled: (message: TrackerMessage) => Promise<'stored' | 'kept'> = async () => 'stored'

  constructor(codec: TrackerCodec) {
    if (!hasDatagrams(codec)) throw new Error('no datagrams')
    this.codec = codec
  }

  recall(imei: string): TrackerDevice | undefined {
    if (!this.known.has(imei)) return undefined
    return { deviceId: imei, model: 'GV300', sack: this.sack, commandPassword: 'gv300' }
  }

  async admit(imei: string): Promise<DatagramSender> {
    if (!this.isAskable) return { is: 'unasked' }
    const device = this.recall(imei)
    return device === undefined ? { is: 'refused' } : { is: 'known', device }
  }

  async settle(
    message: TrackerMessage,
    _datagram: ArrivedDatagram,
    { imei, unadmitted }: { readonly imei: DeviceId; readonly unadmitted: boolean },
  ): Promise<'stored' | 'kept'> {
    const outcome = await this.settled(message)
    const times = message.records.map(({ timeMs }) => (timeMs - 1_700_000_000_000) / 1000)
    this.stored.push(`${imei}${unadmitted ? ' unadmitted' : ''} ${times.join()} ${outcome}`)
    return outcome
  }

  archive(direction: 'in' | 'out', { bytes }: ArrivedDatagram, deviceId: DeviceId): void {
    this.archived.push(`${direction} ${deviceId} ${bytes.toString('hex')}`)
  }

  handleRead({ kind }: TrackerMessage): void {
    this.read.push(kind)
  }

  handleAnswered(): void {
    this.answeredCount += 1
  }

  handleUnreadable({ code }: DecodeError): void {
    this.unreadable.push(code)
  }

  handleRefusal(code: string, _source: DatagramSource, imei = 'somebody'): void {
    this.refusals.push(`${code} ${imei}`)
  }

  handleFailure(error: unknown): void {
    this.failures.push(error)
  }

  learn(): void {}

  heard(): void {
    this.heardCount += 1
  }

  handleLateReply(reply: TrackerReply): void {
    this.lateReplies.push(reply)
  }

  isLinked(): boolean {
    return false
  }

  open(link: TrackerLink): void {
    this.opened.push(link)
  }

  closed(link: TrackerLink): void {
    this.ended.push(link)
  }
}

/** A moment that is enough for what happens at all on this machine. */
const MOMENT_MS = 100

describe('listener for datagrams of trackers', () => {
  let host: MemoryHost
  let listener: TrackerDatagrams
  let unit: DatagramUnit
  const units: DatagramUnit[] = []
  let port: number

  async function listenFor(codec: TrackerCodec): Promise<void> {
    host = new MemoryHost(codec)
    listener = new TrackerDatagrams(host)
    port = await listener.listen(0, '127.0.0.1')
    unit = await openUnit()
  }

  async function openUnit(): Promise<DatagramUnit> {
    const opened = await DatagramUnit.open(port)
    units.push(opened)
    return opened
  }

  afterEach(async () => {
    for (const one of units.splice(0)) await one.close()
    await listener.close()
  })

  describe('of Teltonika', () => {
    beforeEach(() => listenFor(TELTONIKA))

    it('answers each datagram once it is stored, also a repeat', async () => {
      await unit.send(teltonika(IMEI, 7), teltonika(IMEI, 7))
      expect([await unit.answer(), await unit.answer()]).toEqual([acked(7), acked(7)])
      expect(host.stored).toEqual([`${IMEI} 7 stored`, `${IMEI} 7 stored`])
      expect([host.read, host.heardCount, host.answeredCount]).toEqual([['records', 'records'], 2, 2])
      expect(host.archived.slice(0, 2)).toEqual([
        `in ${IMEI} ${teltonika(IMEI, 7).toString('hex')}`,
        `out ${IMEI} ${acked(7)}`,
      ])
    })

    it('does not answer what is kept for later, and answers its repeat once that is stored', async () => {
      host.settled = async () => 'kept'
      await unit.send(teltonika(IMEI, 7))
      expect(await unit.answersWithin(MOMENT_MS)).toEqual([])
      host.settled = async () => 'stored'
      await unit.send(teltonika(IMEI, 7))
      expect(await unit.answer()).toBe(acked(7))
      expect([host.stored, host.heardCount]).toEqual([[`${IMEI} 7 kept`, `${IMEI} 7 stored`], 2])
    })

    it('does not answer what could neither be stored nor kept', async () => {
      const refusal = new AppError('overloaded')
      host.settled = () => Promise.reject(refusal)
      await unit.send(teltonika(IMEI, 7))
      expect(await unit.answersWithin(MOMENT_MS)).toEqual([])
      expect([host.failures, host.heardCount]).toEqual([[refusal], 0])
    })

    it('handles datagrams of one device in their order, and others meanwhile', async () => {
      let open = () => {}
      const opened = new Promise<void>((resolve) => {
        open = resolve
      })
      host.settled = async ({ imei }) => {
        if (imei === IMEI) await opened
        return 'stored'
      }
      await unit.send(teltonika(IMEI, 1), teltonika(IMEI, 2), teltonika(IMEI, 3), teltonika(OTHER, 4))
      expect(await unit.answer()).toBe(acked(4))
      expect(await unit.answersWithin(MOMENT_MS)).toEqual([])
      open()
      expect([await unit.answer(), await unit.answer(), await unit.answer()]).toEqual([acked(1), acked(2), acked(3)])
      expect(host.stored).toEqual([`${OTHER} 4 stored`, `${IMEI} 1 stored`, `${IMEI} 2 stored`, `${IMEI} 3 stored`])
    })

    it('answers each device behind one address, and one device wherever its datagram came from', async () => {
      await unit.send(teltonika(IMEI, 1), teltonika(OTHER, 2))
      expect([await unit.answer(), await unit.answer()].sort()).toEqual([acked(1), acked(2)])
      const elsewhere = await openUnit()
      await elsewhere.send(teltonika(IMEI, 3))
      expect(await elsewhere.answer()).toBe(acked(3))
      expect(await unit.answersWithin(MOMENT_MS)).toEqual([])
    })

    it('says nothing to who is not let in, and stores nothing of it', async () => {
      await unit.send(teltonika(STRANGER, 1))
      expect(await unit.answersWithin(MOMENT_MS)).toEqual([])
      expect([host.stored, host.archived, host.heardCount]).toEqual([[], [], 0])
      expect(host.refusals).toEqual([`login_refused ${STRANGER}`])
    })

    it('keeps what comes while nobody can say who is let in, unanswered', async () => {
      host.isAskable = false
      await unit.send(teltonika(STRANGER, 1))
      expect(await unit.answersWithin(MOMENT_MS)).toEqual([])
      expect([host.stored, host.heardCount]).toEqual([[`${STRANGER} unadmitted 1 stored`], 0])
    })

    it('goes no further with a device that is disabled while its records are stored', async () => {
      host.settled = async () => {
        host.known.delete(IMEI)
        return 'stored'
      }
      await unit.send(teltonika(IMEI, 1))
      expect(await unit.answersWithin(MOMENT_MS)).toEqual([])
      expect([host.stored, host.heardCount]).toEqual([[`${IMEI} 1 stored`], 0])
    })

    it('says of every datagram that is none why, and goes on', async () => {
      const packet = teltonika(IMEI, 1)
      const longer = Buffer.concat([packet, packet])
      const quoted = Buffer.from(packet)
      quoted.write('"', 10)
      await unit.send(Buffer.alloc(0), packet.subarray(0, 3), packet.subarray(0, -1), longer, quoted)
      await unit.send(Buffer.alloc(65_507, 0x41), packet)
      expect(await unit.answer()).toBe(acked(1))
      expect(host.unreadable).toEqual([
        'bad_length',
        'bad_length',
        'bad_length',
        'bad_length',
        'bad_identity',
        'too_large',
      ])
      expect([host.stored.length, host.refusals, host.failures]).toEqual([1, [], []])
    })

    it('drops what is too much before it looks at it', async () => {
      let open = () => {}
      const opened = new Promise<void>((resolve) => {
        open = resolve
      })
      host.room = new DatagramRoom(2, 100_000)
      host.settled = async () => {
        await opened
        return 'stored'
      }
      await unit.send(teltonika(IMEI, 1), teltonika(IMEI, 2), teltonika(OTHER, 3), teltonika(OTHER, 4))
      expect(await unit.answersWithin(MOMENT_MS)).toEqual([])
      expect([host.read.length, host.refusals]).toEqual([2, ['overloaded somebody', 'overloaded somebody']])
      open()
      expect([await unit.answer(), await unit.answer()]).toEqual([acked(1), acked(2)])
      await unit.send(teltonika(OTHER, 4))
      expect(await unit.answer()).toBe(acked(4))
    })

    it('opens no link: nobody knows how commands would travel', async () => {
      await unit.send(teltonika(IMEI, 1))
      await unit.answer()
      expect(host.opened).toEqual([])
    })

    it('says of a port that is in use that it is, and leaves nothing behind', async () => {
      const second = new TrackerDatagrams(host)
      await expect(second.listen(port, '127.0.0.1')).rejects.toMatchObject({ code: 'EADDRINUSE', port })
      await second.close()
      await unit.send(teltonika(IMEI, 1))
      expect(await unit.answer()).toBe(acked(1))
    })

    it('takes what comes while the server stops, and finishes it before it closes', async () => {
      let open = () => {}
      const opened = new Promise<void>((resolve) => {
        open = resolve
      })
      host.settled = async () => {
        await opened
        return 'stored'
      }
      await unit.send(teltonika(IMEI, 1), teltonika(IMEI, 2))
      expect(await unit.answersWithin(MOMENT_MS)).toEqual([])
      listener.stop()
      await unit.send(teltonika(IMEI, 3))
      expect(await unit.answersWithin(MOMENT_MS)).toEqual([])
      const closed = listener.close()
      await unit.send(teltonika(IMEI, 4))
      expect(await unit.answersWithin(MOMENT_MS)).toEqual([])
      open()
      await closed
      expect([await unit.answer(), await unit.answer(), await unit.answer()]).toEqual([acked(1), acked(2), acked(3)])
      expect([host.stored.length, host.refusals]).toEqual([3, ['overloaded somebody']])
    })
  })

  describe('of Queclink', () => {
    const report = (n: number) => encodeFixReport(IMEI, [record(n)], n)
    const order: CommandOrder = { id: 'c', type: 'REBOOT', params: {}, expiresAtMs: 0 }

    beforeEach(() => listenFor(QUECLINK))

    it('answers heartbeats, and reports where the device wants that', async () => {
      await unit.send(encodeHeartbeat(IMEI, 0, 0x11f0))
      expect(Buffer.from(await unit.answer(), 'hex').toString()).toBe('+SACK:GTHBD,060100,11F0$')
      await unit.send(report(1))
      expect(await unit.answersWithin(MOMENT_MS)).toEqual([])
      host.sack = true
      await unit.send(report(2))
      expect(Buffer.from(await unit.answer(), 'hex').toString()).toBe('+SACK:0002$')
      expect(host.stored).toEqual([`${IMEI} 1 stored`, `${IMEI} 2 stored`])
    })

    it('takes several messages of one datagram, and nothing of one that was cut', async () => {
      host.sack = true
      await unit.send(Buffer.concat([report(1), report(2), report(3).subarray(0, -1)]), report(4))
      const answers = [await unit.answer(), await unit.answer(), await unit.answer()]
      expect(answers.map((hex) => Buffer.from(hex, 'hex').toString())).toEqual([
        '+SACK:0001$',
        '+SACK:0002$',
        '+SACK:0004$',
      ])
      expect([host.stored.length, host.unreadable]).toEqual([3, ['bad_structure']])
      expect(host.archived.filter((line) => line.startsWith('in')).length).toBe(2)
    })

    it('gives commands to where the device was heard last, and their answers to who waits', async () => {
      await unit.send(report(1))
      await unit.answersWithin(MOMENT_MS)
      const [link] = host.opened
      expect(link?.transport).toBe('udp')
      const elsewhere = await openUnit()
      await elsewhere.send(report(2))
      await elsewhere.answersWithin(MOMENT_MS)
      const reply = link?.sendCommand(order, 5000)
      const command = Buffer.from(await elsewhere.answer(), 'hex').toString()
      expect(command).toMatch(/^AT\+GTRTO=gv300,3,.*\$$/)
      const serial = command.slice(-5, -1)
      await elsewhere.send(encodeAck(IMEI, { isTaken: true, type: 'GTRTO', serial }, 0, 3))
      expect(await reply).toMatchObject({ status: 'done' })
      await elsewhere.send(encodeAck(IMEI, { isTaken: true, type: 'GTRTO', serial }, 0, 4))
      await elsewhere.answersWithin(MOMENT_MS)
      expect(host.lateReplies.map(({ key }) => key)).toEqual([`GTRTO ${serial}`])
    })
  })

  describe('of Ruptela', () => {
    beforeEach(() => listenFor(RUPTELA))

    it('answers each frame of a datagram, and nothing after one that is damaged', async () => {
      const frames = [1, 2, 3].map((n) => encodeRecordsFrame(IMEI, true, [record(n)]))
      const damaged = Buffer.concat(frames)
      const at = (frames[0]?.length ?? 0) + 20
      damaged[at] = (damaged[at] ?? 0) ^ 1
      await unit.send(Buffer.concat(frames))
      expect([await unit.answer(), await unit.answer(), await unit.answer()]).toEqual(
        Array.from({ length: 3 }, () => '0002640113bc'),
      )
      await unit.send(damaged)
      expect(await unit.answer()).toBe('0002640113bc')
      expect(await unit.answersWithin(MOMENT_MS)).toEqual([])
      expect([host.stored.length, host.unreadable]).toEqual([4, ['bad_checksum']])
    })

    it('sends no refusal to an address that anybody can claim', async () => {
      await unit.send(encodeUnitFrame(STRANGER, 0x0f, Buffer.alloc(37)), encodeUnitFrame(IMEI, 0x10, Buffer.alloc(0)))
      expect(await unit.answer()).toBe('00027401862d')
      expect(host.refusals).toEqual([`login_refused ${STRANGER}`])
    })
  })
})
