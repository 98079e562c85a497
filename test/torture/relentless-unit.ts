import { setTimeout as sleep } from 'node:timers/promises'
import { io, type Socket } from 'socket.io-client'

const ACK_WITHIN_MS = 12_000
const IN_FLIGHT = 4

/** What events are acknowledged with, as far as units look at it. */
export interface Answer {
  readonly id?: string
  readonly duplicate?: boolean
  readonly accepted?: number
  readonly duplicates?: number
  readonly rejected?: readonly unknown[]
  readonly error?: { readonly code: string }
}

/**
 * A unit that sends without pause and remembers exactly what was acknowledged. What was not is sent again on the next connection.
 * Each record has a time of its own, so that the server's track can be compared with what the unit knows.
 */
export class RelentlessUnit {
  /** Times of records that the server acknowledged. */
  readonly acked = new Set<number>()
  /** Times of records that were ever sent. */
  readonly sent = new Set<number>()
  duplicates = 0
  private waiting: number[][] = []
  protected nextTimeMs: number
  private isSending = true
  private isGivingUp = false

  constructor(
    readonly imei: string,
    private readonly token: string,
    startMs: number,
    protected readonly random: () => number,
  ) {
    this.nextTimeMs = startMs
  }

  /** Lets it finish: nothing new, only what is not acknowledged yet. */
  finish(): void {
    this.isSending = false
  }

  /** Lets it end as it is: its run is over after the answers it waits for, whatever was not acknowledged. */
  giveUp(): void {
    this.isSending = false
    this.isGivingUp = true
  }

  /** Runs until it is finished and everything it sent was acknowledged, or it gives up. */
  async run(url: string): Promise<void> {
    while (!this.isGivingUp && (this.isSending || this.waiting.length > 0)) {
      const socket = io(url, {
        auth: { token: this.token },
        transports: ['websocket'],
        reconnection: false,
        forceNew: true,
        timeout: 3000,
      })
      try {
        if (await this.connected(socket)) await this.talk(socket)
      } finally {
        socket.close()
      }
      await sleep(20 + this.random() * 100)
    }
  }

  private connected(socket: Socket): Promise<boolean> {
    return new Promise((resolve) => {
      socket.once('connect', () => resolve(true))
      socket.once('connect_error', () => resolve(false))
      // Killed between the connection and the handshake's answer.
      socket.once('disconnect', () => resolve(false))
    })
  }

  private async talk(socket: Socket): Promise<void> {
    const lost = new Promise<void>((resolve) => socket.once('disconnect', () => resolve()))
    const lanes = Array.from({ length: IN_FLIGHT }, () => this.sendInTurn(socket))
    await Promise.race([lost, Promise.all(lanes)])
    socket.close()
    await Promise.all(lanes)
  }

  private async sendInTurn(socket: Socket): Promise<void> {
    while (socket.connected && !this.isGivingUp) {
      const batch = this.waiting.shift() ?? this.nextBatch()
      if (batch === undefined) return
      if (!(await this.deliver(socket, batch))) {
        this.waiting.unshift(batch)
        await sleep(10)
      }
    }
  }

  /** @returns whether it is settled */
  protected async deliver(socket: Socket, batch: number[]): Promise<boolean> {
    const records = batch.map((timeMs) => ({ time: timeMs, latitude: 48 + (timeMs % 1000) / 10_000, longitude: 11.5 }))
    const answer = await this.ask(socket, 'location', records.length === 1 ? records[0] : records)
    if (answer === undefined || answer.error !== undefined) return false
    const settled = (answer.accepted ?? 0) + (answer.duplicates ?? 0)
    if (settled !== batch.length) throw new Error(`${batch.length} sent, answered ${JSON.stringify(answer)}`)
    this.duplicates += answer.duplicates ?? 0
    for (const timeMs of batch) this.acked.add(timeMs)
    return true
  }

  /** @returns undefined: no answer in time, or the connection was lost */
  protected ask(socket: Socket, event: string, payload: unknown): Promise<Answer | undefined> {
    return new Promise((resolve) => {
      const onLost = () => resolve(undefined)
      socket.once('disconnect', onLost)
      socket.timeout(ACK_WITHIN_MS).emit(event, payload, (error: Error | null, answer: Answer) => {
        socket.off('disconnect', onLost)
        resolve(error === null ? answer : undefined)
      })
    })
  }

  private nextBatch(): number[] | undefined {
    if (!this.isSending) return undefined
    const size = this.batchSize()
    const batch = Array.from({ length: size }, () => this.nextTimeMs++)
    for (const timeMs of batch) this.sent.add(timeMs)
    return batch
  }
  protected batchSize(): number {
    return this.random() < 0.7 ? 1 : 1 + Math.floor(this.random() * 60)
  }
}
