import { Injectable, Logger } from '@nestjs/common'
import type { DecodeError } from '../../codecs/decode-error.js'
import type { TrackerMessage } from '../../codecs/tracker-codec.js'
import { Metrics } from '../../metrics/metrics.js'
import type { Tally } from '../../metrics/tally-counter.js'
import type { TallySeries } from '../../metrics/tally-histogram.js'
import { AppError, type ErrorCode } from '../../model/app-error.js'
import { Quarantine } from '../../pipeline/quarantine.js'
import { WindowCounter } from '../../web/rate-limit.js'
import { SparseLog } from './sparse-log.js'

/** Who sent something, as far as it is known. */
export interface TrackerSender {
  readonly protocol: string
  readonly ingress: 'tcp' | 'udp'
  readonly address: string
  readonly deviceId?: string | undefined
}

type Kind = TrackerMessage['kind']

/** Of what nobody could read from senders that nobody knows: the rest is counted, or a flood of it would fill the disk. */
const KEPT_OF_UNKNOWN_PER_SECOND = 20
/** The quarantine keeps no more of a frame. */
const KEPT_BYTES = 4096
/** What names a device anywhere in the log; anything else that a stranger says is left out of it. */
const SAYABLE_ID = /^[0-9A-Fa-f]{14,15}$/

/** What is noted of trackers: counted, kept for inspection, and told in the log without flooding it. Never throws, never waits. */
@Injectable()
export class TrackerNotes {
  private readonly logger = new Logger('trackers')
  private readonly tallies = new Map<string, Record<Kind, Tally>>()
  private readonly keptOfUnknown = new WindowCounter(KEPT_OF_UNKNOWN_PER_SECOND, 1000, 1)
  private readonly refusedLog = new SparseLog((fields) => this.logger.warn({ event: 'tracker_refused', ...fields }))
  private readonly unreadableLog = new SparseLog((fields) =>
    this.logger.warn({ event: 'tracker_unreadable', ...fields }),
  )
  private readonly faultLog = new SparseLog((fields) => this.logger.error({ event: 'tracker_fault', ...fields }))

  private readonly ackSeconds: Readonly<Record<TrackerSender['ingress'], TallySeries>>

  constructor(
    private readonly metrics: Metrics,
    private readonly quarantine: Quarantine,
  ) {
    this.ackSeconds = { tcp: metrics.ackSeconds.of('tcp'), udp: metrics.ackSeconds.of('udp') }
  }

  connectionBegan(protocol: string): void {
    this.metrics.trackerConnections.inc({ protocol })
  }

  connectionEnded(protocol: string, reason: string): void {
    this.metrics.trackerConnections.dec({ protocol })
    this.metrics.trackerEnds.inc({ protocol, reason })
  }

  frameRead(protocol: string, kind: Kind): void {
    const tallies = this.tallies.get(protocol) ?? this.openTallies(protocol)
    tallies[kind].add(1)
  }

  /** An answer left, so long after what it answers was there to be handled. */
  answered(ingress: TrackerSender['ingress'], tookMs: number): void {
    this.ackSeconds[ingress].observe(tookMs / 1000)
  }

  unreadable(error: DecodeError, frame: Buffer, { protocol, ingress, address, deviceId }: TrackerSender): void {
    const { code } = error
    this.metrics.decodeErrors.inc({ protocol, code })
    this.unreadableLog.tell({ protocol, ingress, address, deviceId, code, reason: error.message })
    if (deviceId === undefined && !this.mayKeepOfUnknown()) {
      this.metrics.quarantineDropped.inc()
      return
    }
    const rawOf = () => frame.toString('hex', 0, KEPT_BYTES)
    this.quarantine.keep({ deviceId: deviceId ?? '', ingress, receivedAtMs: Date.now(), rawOf }, [{ index: 0, code }])
  }

  /** Somebody, or something of somebody, was not taken, and why. */
  refused(code: ErrorCode, { protocol, ingress, address, deviceId }: TrackerSender): void {
    this.metrics.refusals.inc({ ingress, code })
    const id = SAYABLE_ID.test(deviceId ?? '') ? deviceId : undefined
    this.refusedLog.tell({ protocol, ingress, address, deviceId: id, code })
  }

  /** What could not be done: a refusal where it has a code, else a mistake of ours. */
  failed(error: unknown, sender: TrackerSender): void {
    if (error instanceof AppError) {
      this.refused(error.code, sender)
      return
    }
    const stack = error instanceof Error ? error.stack : String(error)
    this.metrics.refusals.inc({ ingress: sender.ingress, code: 'internal' })
    this.faultLog.tell({ ...sender, stack })
  }

  private mayKeepOfUnknown(): boolean {
    if (this.keptOfUnknown.isUsedUp('')) return false
    this.keptOfUnknown.add('')
    return true
  }

  private openTallies(protocol: string): Record<Kind, Tally> {
    const of = (kind: Kind) => this.metrics.trackerFrames.of({ protocol, kind })
    const tallies = {
      login: of('login'),
      records: of('records'),
      heartbeat: of('heartbeat'),
      reply: of('reply'),
      other: of('other'),
    }
    this.tallies.set(protocol, tallies)
    return tallies
  }
}
