import path from 'node:path'
import { alarmClip, alarmClipName, ClipJob, requestedClip } from './clips/clip-job.js'
import type { ClipMaker } from './clips/clip-maker.js'
import { type ClipEnd, ClipUploader } from './clips/clip-uploader.js'
import type { Clock } from './clock.js'
import { type Random, randomOf } from './random.js'
import { CommandBook } from './unit/command-book.js'
import { CommandDesk, type RestartKind, UntoldResults, type VideoRequest } from './unit/command-desk.js'
import { Courier, type CourierQueue } from './unit/courier.js'
import { DurableQueue } from './unit/durable-queue.js'
import { RepeatingQueue } from './unit/repeating-queue.js'
import { count } from './unit/tally.js'
import { UnitAlarm } from './unit/unit-alarm.js'
import type { UnitClient, UnitSettings } from './unit/unit-client.js'
import { doneWith, failedBecause, type UnitCommand, type UnitCommandResult } from './unit/unit-command.js'
import type { UnitTransport } from './unit/unit-transport.js'

export interface DutyOptions extends UnitSettings {
  /** Share (0..1) of the alarms that have a clip. */
  readonly clipShare: number
  /** How long a RESET takes; a REBOOT takes three times as long. */
  readonly resetMs: number
  /** Each alarm is sent two or three times. */
  readonly duplicate: boolean
  readonly seed: string
}

export interface UnitDutiesParts {
  readonly deviceId: string
  readonly client: UnitClient
  readonly transport: UnitTransport
  readonly clock: Clock
  readonly random: Random
  /** Without, the unit has no camera. */
  readonly maker?: ClipMaker
  /** Where alarms, clips and commands outlive the process. */
  readonly stateDirectory?: string
  /** The unit chooses when it records: it can be told another interval. */
  readonly hasInterval: boolean
  /** Called when a command's work is done or begun: once in its life, whatever ends links and processes. */
  readonly handleObeyed?: (command: UnitCommand) => void
}

/** Refusals that hold for every repetition. */
const LASTING_FOR_ALARMS = new Set(['invalid_request', 'unknown_alarm_type', 'message_too_large', 'unknown_event'])
const LASTING_FOR_RESULTS = new Set(['command_not_found', 'invalid_request', 'message_too_large', 'unknown_event'])
const REBOOT_FACTOR = 3

/** What a unit does beside recording: raises alarms, uploads clips, obeys commands. */
export class UnitDuties {
  private readonly alarms: DurableQueue<UnitAlarm>
  private readonly clips: DurableQueue<ClipJob>
  private readonly book: CommandBook
  private readonly alarmCourier: Courier<UnitAlarm, { readonly isDuplicate: boolean }>
  private readonly resultCourier: Courier<UnitCommandResult, undefined>
  private readonly desk: CommandDesk
  private readonly uploader: ClipUploader | undefined
  private leastGapMs = 0

  /** @throws JournalError a damaged file of an earlier life */
  constructor(
    private readonly parts: UnitDutiesParts,
    private readonly options: DutyOptions,
  ) {
    this.alarms = new DurableQueue(UnitAlarm, ({ key, type }) => `${type}/${key}`, this.fileOf('alarms'))
    this.clips = new DurableQueue(ClipJob, ({ fileName }) => fileName, this.fileOf('clips'))
    this.book = new CommandBook(this.fileOf('commands'))
    parts.client.tally.alarms = this.alarms.pending
    this.alarmCourier = this.makeAlarmCourier()
    this.resultCourier = this.makeResultCourier()
    this.uploader = this.makeUploader()
    this.desk = this.makeDesk()
    for (const rider of [this.desk, this.resultCourier, this.alarmCourier, this.uploader]) {
      if (rider !== undefined) parts.client.board(rider)
    }
    this.desk.resume()
    if (this.uploader === undefined) this.giveUpClips()
  }

  /** Least time between two records that a SET_INTERVAL asked for; 0: none did. */
  get intervalMs(): number {
    return this.leastGapMs
  }

  /** Alarms not acknowledged, clips not uploaded, commands whose end the server does not know. */
  get pending(): number {
    const { alarmCourier, resultCourier, desk, uploader } = this
    return alarmCourier.pending + resultCourier.pending + desk.pending + (uploader?.pending ?? 0)
  }

  /**
   * Raises the alarm, with a clip or without; of those with one, every other file is there before its alarm.
   * @throws the file system's error when it cannot be kept
   */
  raise(alarm: UnitAlarm): void {
    const random = randomOf(`${this.options.seed}/clip/${alarm.type}/${alarm.key}`)
    if (this.uploader === undefined || random() >= this.options.clipShare) {
      this.keepAlarm(alarm)
      return
    }
    const withFile = { ...alarm, fileNames: [alarmClipName(alarm)] }
    const isFileFirst = random() < 0.5
    if (!isFileFirst) this.keepAlarm(withFile)
    this.uploader.add({ ...alarmClip(alarm), ...(isFileFirst ? { alarm: withFile } : {}) })
  }

  /** Closes the files when nothing is under way any more; the client was stopped before. */
  async close(): Promise<void> {
    await this.uploader?.whenIdle()
    this.alarms.close()
    this.clips.close()
    this.book.close()
  }

  private fileOf(kind: string): string | undefined {
    const { deviceId, stateDirectory } = this.parts
    return stateDirectory && path.join(stateDirectory, `${deviceId}.${kind}`)
  }

  private keepAlarm(alarm: UnitAlarm): void {
    if (this.alarms.add(alarm)) this.parts.client.tally.alarms++
    this.alarmCourier.wake()
  }

  private alarmQueue(): CourierQueue<UnitAlarm> {
    const { options } = this
    if (!options.duplicate) return this.alarms
    return new RepeatingQueue(this.alarms, ({ key }) => (randomOf(`${options.seed}/repeat/${key}`)() < 0.5 ? 2 : 3))
  }

  private makeAlarmCourier() {
    const { client, clock, random } = this.parts
    const { tally } = client
    return new Courier<UnitAlarm, { readonly isDuplicate: boolean }>(
      {
        clock,
        random,
        queue: this.alarmQueue(),
        send: (link, alarm) => link.alarms?.send(alarm),
        lastingRefusals: LASTING_FOR_ALARMS,
        handleSent: () => void tally.alarmsSent++,
        handleAnswer: (alarm, { isDuplicate }) => {
          if (isDuplicate) tally.alarmDuplicates++
          if (!this.alarms.has(alarm)) tally.alarmsAcked++
        },
        handleRefusal: (_alarm, { code }, isLasting) => count(isLasting ? tally.alarmsRejected : tally.refusals, code),
        handleDroppedAck: () => void tally.droppedAcks++,
        handleChange: () => client.noteChange(),
        handleFailure: (error) => client.fail(error),
      },
      this.options,
    )
  }

  private makeResultCourier() {
    const { client, clock, random } = this.parts
    const { tally } = client
    return new Courier<UnitCommandResult, undefined>(
      {
        clock,
        random,
        queue: new UntoldResults(this.book),
        send: (link, result) => link.commands?.sendResult(result),
        lastingRefusals: LASTING_FOR_RESULTS,
        handleAnswer: () => void tally.resultsTold++,
        handleRefusal: (_result, { code }) => count(tally.refusals, code),
        handleDroppedAck: () => void tally.droppedAcks++,
        handleChange: () => client.noteChange(),
        handleFailure: (error) => client.fail(error),
      },
      { ...this.options, inFlight: 1 },
    )
  }

  private makeDesk(): CommandDesk {
    const { client, clock, handleObeyed, hasInterval } = this.parts
    return new CommandDesk({
      book: this.book,
      clock,
      tally: client.tally,
      powers: {
        restart: (kind) => this.restart(kind),
        ...(hasInterval ? { setInterval: (seconds: number) => this.setInterval(seconds) } : {}),
        ...(this.uploader === undefined ? {} : { requestVideo: (request) => this.requestVideo(request) }),
      },
      handleChange: () => {
        this.resultCourier.wake()
        client.noteChange()
      },
      handleFailure: (error) => client.fail(error),
      handleObeyed,
    })
  }

  private makeUploader(): ClipUploader | undefined {
    const { client, maker, transport } = this.parts
    if (maker === undefined || transport.uploads === undefined) return undefined
    return new ClipUploader({
      ...this.parts,
      uploads: transport.uploads,
      maker,
      queue: this.clips,
      tally: client.tally,
      handleEnd: (job, end) => this.handleClipEnd(job, end),
      handleChange: () => client.noteChange(),
      handleFailure: (error) => client.fail(error),
    })
  }

  /** An earlier life had a camera, and alarms that wait for its clips. */
  private giveUpClips(): void {
    for (let job = this.clips.take(); job !== undefined; job = this.clips.take()) {
      count(this.parts.client.tally.clipsFailed, 'no_camera')
      this.handleClipEnd(job, { failure: 'no_camera' })
      this.clips.settle(job)
    }
  }

  private restart(kind: RestartKind): void {
    const { client, transport } = this.parts
    const downMs = kind === 'RESET' ? this.options.resetMs : this.options.resetMs * REBOOT_FACTOR
    if (kind === 'REBOOT') transport.forgetLogin()
    this.uploader?.pause(downMs)
    client.restart(downMs)
  }

  private setInterval(seconds: number): void {
    this.leastGapMs = seconds * 1000
  }

  private requestVideo({ commandId, fromMs, toMs, channel }: VideoRequest): void {
    this.uploader?.add(requestedClip(commandId, fromMs, toMs, channel))
  }

  private handleClipEnd(job: ClipJob, end: ClipEnd): void {
    if (job.alarm !== undefined) this.keepAlarm(job.alarm) // also without its file: it is the alarm that matters
    if (job.commandId === undefined) return
    const { fileName } = job
    const outcome =
      end.failure === undefined ? doneWith({ videoId: end.videoId, fileName }) : failedBecause(end.failure)
    this.desk.end(job.commandId, outcome)
  }
}
