import { setTimeout as sleep } from 'node:timers/promises'
import { DecodeError } from '../codecs/decode-error.js'
import type { TrackerCodec, TrackerMessage } from '../codecs/tracker-codec.js'
import { TRACKER_CODECS } from '../codecs/tracker-codecs.js'
import { toDelivery } from '../codecs/tracker-report.js'
import { AppError } from '../model/app-error.js'
import type { DeviceId } from '../model/device-id.js'
import type { Replay } from '../pipeline/replay-recipe.js'
import { mayGoOn, type RawFrameStore, type StoredRawFrame } from '../storage/frames/raw-frame-store.js'

/** Frames that are read in one go. */
const PAGE = 200
/** Longer than a store is usually away. */
const RETRY_WITHIN_MS = 30_000
const RETRY_MS = 1000

/** What was to be replayed. */
export interface ReplayRange {
  readonly deviceId: DeviceId
  /** Inclusive, by the time of the frames. */
  readonly fromMs?: number
  /** Exclusive. */
  readonly toMs?: number
}

/** What became of the frames so far; counts by code where there are codes. */
export interface ReplaySummary {
  /** Those that the device sent. */
  frames: number
  /** Of sockets: nothing is lost of them, and they are not replayed. */
  otherFrames: number
  newRecords: number
  knownRecords: number
  newAlarms: number
  knownAlarms: number
  /** Messages that name another device. */
  otherDevices: number
  readonly refused: Map<string, number>
  readonly unreadable: Map<string, number>
  /** The last frame that was done, whole; undefined: none was. */
  doneMs: number | undefined
}

/**
 * Puts archived frames through today's codecs, oldest first, as if they came now, but for the time that they came. What is stored already is
 * found so; nothing is answered, and what frames say of commands is not heard again.
 */
export class FramesReplay {
  readonly summary: ReplaySummary = {
    frames: 0,
    otherFrames: 0,
    newRecords: 0,
    knownRecords: 0,
    newAlarms: 0,
    knownAlarms: 0,
    otherDevices: 0,
    refused: new Map(),
    unreadable: new Map(),
    doneMs: undefined,
  }
  private readonly codecs: ReadonlyMap<string, TrackerCodec>

  constructor(
    private readonly frames: Pick<RawFrameStore, 'list'>,
    private readonly replay: Replay,
    codecs: readonly TrackerCodec[] = TRACKER_CODECS,
    private readonly retryWithinMs = RETRY_WITHIN_MS,
  ) {
    this.codecs = new Map(codecs.map((codec) => [codec.protocol, codec]))
  }

  /**
   * Until all are done, or it is told to stop: then after the frame at hand.
   * @param onFrame after each
   * @throws AppError when a store stays away; what was done is in the summary
   */
  async run(range: ReplayRange, signal: AbortSignal, onFrame: () => void = () => undefined): Promise<void> {
    let after: StoredRawFrame | undefined
    do {
      const page = await this.patiently(() => this.list(range, after))
      for (const frame of page) {
        if (signal.aborted) return
        await this.take(frame)
        this.summary.doneMs = frame.atMs
        onFrame()
      }
      after = mayGoOn(page, PAGE) ? page.at(-1) : undefined
    } while (after !== undefined && !signal.aborted)
  }

  private list(range: ReplayRange, after: StoredRawFrame | undefined): Promise<StoredRawFrame[]> {
    return this.frames.list({
      ...range,
      direction: 'in',
      order: 'oldest',
      limit: PAGE,
      ...(after === undefined ? {} : { after: { atMs: after.atMs, id: after.id } }),
    })
  }

  private async take(stored: StoredRawFrame): Promise<void> {
    const { summary } = this
    const codec = this.codecs.get(stored.protocol)
    if (codec === undefined) {
      summary.otherFrames++
      return
    }
    summary.frames++
    const { buffer, byteOffset, byteLength } = stored.bytes
    const frame = Buffer.from(buffer, byteOffset, byteLength)
    for (const message of read(codec, stored.link, frame)) {
      if (message instanceof DecodeError) count(summary.unreadable, message.code)
      else if (message.imei !== undefined && message.imei !== stored.deviceId) summary.otherDevices++
      else if (message.records.length > 0) await this.settle(message, stored, frame)
    }
  }

  private async settle(
    message: TrackerMessage,
    { deviceId, link, atMs }: StoredRawFrame,
    frame: Buffer,
  ): Promise<void> {
    const ingress = isDatagram(link) ? 'udp' : 'tcp'
    const delivery = toDelivery(message, { deviceId, ingress, receivedAtMs: atMs, frame })
    const done = await this.patiently(() => this.replay(delivery))
    const { summary } = this
    summary.newRecords += done.newRecords
    summary.knownRecords += done.knownRecords
    summary.newAlarms += done.newAlarms
    summary.knownAlarms += done.knownAlarms
    for (const code of done.refused) count(summary.refused, code)
  }

  private async patiently<T>(work: () => Promise<T>): Promise<T> {
    const untilMs = performance.now() + this.retryWithinMs
    for (;;) {
      try {
        return await work()
      } catch (error) {
        if (!(error instanceof AppError) || performance.now() >= untilMs) throw error
        await sleep(Math.min(error.retryAfterMs ?? RETRY_MS, RETRY_MS))
      }
    }
  }
}

function isDatagram(link: string): boolean {
  return link.startsWith('udp:')
}

/** The messages of a frame, or what is wrong with it. */
function read(codec: TrackerCodec, link: string, frame: Buffer): ReadonlyArray<TrackerMessage | DecodeError> {
  try {
    if (isDatagram(link)) return codec.decodeDatagram?.(frame) ?? []
    return [codec.decode(frame)]
  } catch (error) {
    if (error instanceof DecodeError) return [error]
    throw error
  }
}

function count(counts: Map<string, number>, code: string): void {
  counts.set(code, (counts.get(code) ?? 0) + 1)
}
