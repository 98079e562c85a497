import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SentRecord } from '../../src/codecs/sent-record.js'
import { type Exchange, sentRecord, type TrackerBrand } from '../support/tracker-brand.js'

const ANSWER_WITHIN_MS = 12_000
/** Messages that wait for their answers at a time. */
const IN_FLIGHT = 4
/** As many as the smallest frame of all brands holds. */
const MOST_RECORDS = 15

/** A message under way, with the records in it. */
interface Message extends Exchange {
  readonly records: readonly SentRecord[]
}

/**
 * A tracker that sends without pause and honours answers: what was answered it never sends again, and what was not, on the next connection.
 * Each record has a time of its own, so that the server's track can be compared with what the unit knows.
 */
export class RelentlessTracker {
  /** Times of records that the server acknowledged. */
  readonly acked = new Set<number>()
  /** Every record that was ever sent, by its time. */
  readonly sent = new Map<number, SentRecord>()
  /** Messages that were sent again. */
  resent = 0
  private waiting: Message[] = []
  private count = 0
  private isSending = true

  constructor(
    readonly imei: string,
    private readonly brand: TrackerBrand,
    private readonly port: number,
    private readonly startMs: number,
    private readonly random: () => number,
  ) {}

  /** Lets it finish: nothing new, only what is not acknowledged yet. */
  finish(): void {
    this.isSending = false
  }

  /** Runs until it is finished and everything it sent was acknowledged. @throws Error when it is answered anything else */
  async run(): Promise<void> {
    while (this.isSending || this.waiting.length > 0) {
      await this.talk()
      await sleep(20 + this.random() * 100)
    }
  }

  /** One connection, until it ends. */
  private talk(): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.port, '127.0.0.1')
      const awaited: Array<Exchange | Message> = []
      let came = Buffer.alloc(0)
      const send = (exchange: Exchange | Message) => {
        awaited.push(exchange)
        socket.write(exchange.bytes)
      }
      const goOn = () => {
        while (awaited.length < IN_FLIGHT) {
          const next = this.next()
          if (next === undefined) break
          send(next)
        }
        if (awaited.length === 0) socket.end()
      }
      socket.on('connect', () => {
        const hello = this.brand.hello(this.imei)
        if (hello === undefined) goOn()
        else send(hello)
      })
      socket.on('data', (chunk) => {
        came = Buffer.concat([came, chunk])
        for (let first = awaited[0]; first !== undefined; first = awaited[0]) {
          const length = first.answer.length / 2
          if (came.length < length) break
          const answer = came.toString('hex', 0, length)
          if (answer !== first.answer) {
            reject(new Error(`${this.brand.protocol}: ${answer} where ${first.answer} was due`))
            socket.destroy()
            return
          }
          came = came.subarray(length)
          awaited.shift()
          this.settled(first)
        }
        goOn()
      })
      socket.setTimeout(ANSWER_WITHIN_MS, () => socket.destroy())
      socket.on('error', () => undefined)
      socket.on('close', () => {
        const unanswered = awaited.filter((one): one is Message => 'records' in one)
        this.resent += unanswered.length
        this.waiting.unshift(...unanswered)
        resolve()
      })
    })
  }

  private settled(exchange: Exchange | Message): void {
    if ('records' in exchange) for (const { timeMs } of exchange.records) this.acked.add(timeMs)
  }

  private next(): Message | undefined {
    const left = this.waiting.shift()
    if (left !== undefined || !this.isSending) return left
    const size = this.random() < 0.7 ? 1 : 1 + Math.floor(this.random() * MOST_RECORDS)
    const records = Array.from({ length: size }, (_, i) => this.record(this.sent.size + i))
    for (const record of records) this.sent.set(record.timeMs, record)
    return { ...this.brand.records(this.imei, records, this.count++ & 0xffff), records }
  }

  private record(n: number): SentRecord {
    return sentRecord(n, { timeMs: this.startMs + n * 1000 })
  }
}
