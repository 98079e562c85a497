import { setTimeout as sleep } from 'node:timers/promises'
import { encodeReport } from '../../src/codecs/queclink/encode-report.js'
import type { SentRecord } from '../../src/codecs/sent-record.js'
import { encodeRecordsDatagram } from '../../src/codecs/teltonika/encode-records.js'
import type { Api } from '../support/api.js'
import { DatagramUnit } from '../support/datagram-unit.js'
import { sentRecord } from '../support/tracker-brand.js'

const EVERY_MS = 250
/** Of a Queclink unit's reports every so many are an SOS. */
const ALARM_EVERY = 10

export interface DatagramPorts {
  readonly teltonika: number
  readonly queclink: number
}

/** What the senders said and what is stored of it; lost, doubled and invented must be 0. */
export interface DatagramResult {
  readonly said: number
  readonly answered: number
  readonly lost: number
  readonly doubled: number
  readonly invented: number
}

/** One tracker that says everything once, whatever it is answered. */
class Sender {
  /** Moments of its records, each once, and those that are alarms. */
  readonly said: number[] = []
  readonly alarms: number[] = []
  answered = 0
  private isOver = false
  private running: Promise<void> = Promise.resolve()

  private constructor(
    readonly imei: string,
    private readonly unit: DatagramUnit,
    private readonly protocol: keyof DatagramPorts,
    private readonly startMs: number,
  ) {}

  static async open(
    imei: string,
    protocol: keyof DatagramPorts,
    ports: DatagramPorts,
    startMs: number,
  ): Promise<Sender> {
    const unit = await DatagramUnit.open(ports[protocol])
    return new Sender(imei, unit, protocol, startMs)
  }

  start(): void {
    this.running = this.run()
  }

  async stop(): Promise<void> {
    if (this.isOver) return
    this.isOver = true
    await this.running
    await this.unit.close()
  }

  private async run(): Promise<void> {
    await sleep(Math.random() * EVERY_MS)
    for (let n = 0; !this.isOver; n++) {
      const timeMs = this.startMs + n * 1000
      const isAlarm = this.protocol === 'queclink' && n % ALARM_EVERY === ALARM_EVERY - 1
      const message = this.protocol === 'queclink' ? queclink : teltonika
      await this.unit.send(message(this.imei, n, sentRecord(n, { timeMs }), isAlarm))
      this.said.push(timeMs)
      if (isAlarm) this.alarms.push(timeMs)
      this.answered += (await this.unit.answersWithin(EVERY_MS)).length
    }
  }
}

/** Trackers that send datagrams and nothing twice, half of them Teltonika's and half Queclink's. */
export class DatagramLoad {
  private readonly senders: Sender[] = []

  constructor(
    private readonly ports: DatagramPorts,
    private readonly startMs: number,
  ) {}

  /** More of them begin to send. */
  async add(imeis: readonly string[]): Promise<void> {
    const protocols = ['teltonika', 'queclink'] as const
    const added = await Promise.all(
      imeis.map((imei, index) => Sender.open(imei, protocols[index % 2] ?? 'teltonika', this.ports, this.startMs)),
    )
    for (const sender of added) sender.start()
    this.senders.push(...added)
  }

  get said(): number {
    return this.senders.reduce((sum, { said }) => sum + said.length, 0)
  }

  get answered(): number {
    return this.senders.reduce((sum, { answered }) => sum + answered, 0)
  }

  async stop(): Promise<void> {
    await Promise.all(this.senders.map((sender) => sender.stop()))
  }

  /** Positions and alarms of all of them. */
  async compare(api: Api, admin: string): Promise<DatagramResult> {
    const result = { said: this.said, answered: this.answered, lost: 0, doubled: 0, invented: 0 }
    for (const { imei, said, alarms } of this.senders) {
      const track = await api.all<{ time: string }>(`/api/v1/devices/${imei}/track?include=all&limit=500`, admin)
      const raised = await api.all<{ time: string }>(`/api/v1/alarms?deviceId=${imei}&limit=500`, admin)
      count(result, said, track)
      count(result, alarms, raised)
    }
    return result
  }
}

function count(
  result: { lost: number; doubled: number; invented: number },
  said: readonly number[],
  stored: ReadonlyArray<{ readonly time: string }>,
): void {
  const times = stored.map(({ time }) => Date.parse(time))
  const known = new Set(times)
  const expected = new Set(said)
  result.lost += said.filter((timeMs) => !known.has(timeMs)).length
  result.doubled += times.length - known.size
  result.invented += [...known].filter((timeMs) => !expected.has(timeMs)).length
}

function teltonika(imei: string, n: number, record: SentRecord): Buffer {
  return encodeRecordsDatagram(imei, { packetId: n % 0x10000, avlPacketId: n % 0x100 }, '8E', [record])
}

function queclink(imei: string, n: number, record: SentRecord, isAlarm: boolean): Buffer {
  return encodeReport(imei, { type: isAlarm ? 'GTSOS' : 'GTFRI', kind: isAlarm ? '00' : '10' }, [record], n)
}
