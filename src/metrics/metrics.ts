import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { TallyCounter } from './tally-counter.js'
import { TallyHistogram } from './tally-histogram.js'

/** How a spool stands. */
interface SpoolLook {
  readonly entries: number
  readonly bytes: number
  readonly oldestAtMs: number | null
}

/**
 * Every counter and histogram of the process, typed; a leaf that any room may touch. Names and meanings are listed in
 * `docs/operations.md`, and a test keeps the list true.
 */
export class Metrics {
  readonly registry = new Registry()

  readonly positions = new TallyCounter({
    name: 'milepost_positions_total',
    help: 'Positions by outcome',
    labelNames: ['ingress', 'outcome'],
    registers: [this.registry],
  })
  readonly refusals = this.counter('milepost_refusals_total', 'Refusals by code', ['ingress', 'code'])
  readonly ackSeconds = new TallyHistogram({
    name: 'milepost_ack_seconds',
    help: 'From the arrival of an event to its acknowledgement',
    label: 'ingress',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [this.registry],
  })
  readonly batchPositions = new Histogram({
    name: 'milepost_commit_batch_positions',
    help: 'Positions in one group commit',
    buckets: [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000],
    registers: [this.registry],
  })
  readonly storeSeconds = new Histogram({
    name: 'milepost_store_seconds',
    help: 'Latency of a store operation',
    labelNames: ['store', 'operation', 'outcome'],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [this.registry],
  })
  private countWaitingPositions = () => 0
  private readonly waitingPositions: Gauge = new Gauge({
    name: 'milepost_ingest_waiting_positions',
    help: 'Positions that wait for the store',
    registers: [this.registry],
    collect: () => this.waitingPositions.set(this.countWaitingPositions()),
  })
  readonly alarms = this.counter('milepost_alarms_total', 'Alarms by outcome', ['ingress', 'outcome'])
  private countWaitingAlarms = () => 0
  private readonly waitingAlarms: Gauge = new Gauge({
    name: 'milepost_ingest_waiting_alarms',
    help: 'Alarms that wait for the store',
    registers: [this.registry],
    collect: () => this.waitingAlarms.set(this.countWaitingAlarms()),
  })
  readonly openLinks = this.gauge('milepost_links_open', 'Open links to units', ['transport'])
  readonly linksReplaced = this.counter(
    'milepost_links_replaced_total',
    'Links closed because the device opened a newer one',
  )
  readonly devicesContested = this.counter(
    'milepost_devices_contested_total',
    'Devices that came to be shown as contested: more than one unit seems to use the identity',
  )
  readonly linksClosed = this.counter('milepost_links_closed_total', 'Links that the server closed, by code', ['code'])
  readonly trackerConnections = this.gauge(
    'milepost_tracker_connections',
    'Connections of trackers, also of those that said nothing yet',
    ['protocol'],
  )
  readonly trackerEnds = this.counter(
    'milepost_tracker_connections_ended_total',
    'Connections of trackers that ended, by reason',
    ['protocol', 'reason'],
  )
  readonly trackerFrames = new TallyCounter({
    name: 'milepost_tracker_frames_total',
    help: 'Frames of trackers that were read, by kind',
    labelNames: ['protocol', 'kind'],
    registers: [this.registry],
  })
  readonly trackerRepliesUnasked = this.counter(
    'milepost_tracker_replies_unasked_total',
    'Answers of trackers that belong to no command that is known',
    ['protocol'],
  )
  readonly decodeErrors = this.counter('milepost_decode_errors_total', 'Frames that cannot be read, by reason', [
    'protocol',
    'code',
  ])
  readonly framesArchived = this.counter('milepost_frames_archived_total', 'Frames kept in the raw archive', [
    'protocol',
    'direction',
  ])
  readonly framesDropped = new TallyCounter({
    name: 'milepost_frames_dropped_total',
    help: 'Frames that did not come into the raw archive, by reason',
    labelNames: ['reason'],
    registers: [this.registry],
  })
  readonly framesGivenWay = this.counter(
    'milepost_frames_given_way_total',
    'Frames that gave way before their time, since the raw archive holds as much as it may, or the disk is low',
  )
  private countWaitingFrames = () => 0
  private readonly waitingFrames: Gauge = new Gauge({
    name: 'milepost_frames_waiting',
    help: 'Frames that wait for the raw archive',
    registers: [this.registry],
    collect: () => this.waitingFrames.set(this.countWaitingFrames()),
  })
  readonly logins = this.counter('milepost_logins_total', 'Logins by kind and outcome', ['kind', 'outcome'])
  private lookAtSpool: () => SpoolLook = () => ({ entries: 0, bytes: 0, oldestAtMs: null })
  private readonly spoolEntries: Gauge = new Gauge({
    name: 'milepost_spool_entries',
    help: 'Messages that wait on the local disk for their store',
    registers: [this.registry],
    collect: () => this.spoolEntries.set(this.lookAtSpool().entries),
  })
  private readonly spoolBytes: Gauge = new Gauge({
    name: 'milepost_spool_bytes',
    help: 'Bytes of the messages that wait on the local disk',
    registers: [this.registry],
    collect: () => this.spoolBytes.set(this.lookAtSpool().bytes),
  })
  private readonly spoolOldestSeconds: Gauge = new Gauge({
    name: 'milepost_spool_oldest_seconds',
    help: 'For how long the oldest message has been waiting on the local disk; 0: none waits',
    registers: [this.registry],
    collect: () => {
      const { oldestAtMs } = this.lookAtSpool()
      this.spoolOldestSeconds.set(oldestAtMs === null ? 0 : Math.max(0, (Date.now() - oldestAtMs) / 1000))
    },
  })
  readonly spoolKept = this.counter('milepost_spool_kept_total', 'Messages that were kept on the local disk', [
    'ingress',
  ])
  readonly spoolDrained = this.counter(
    'milepost_spool_drained_total',
    'Messages that left the local disk, by outcome',
    ['outcome'],
  )
  readonly spoolRefused = this.counter(
    'milepost_spool_refused_total',
    'Messages that were neither stored nor kept, by reason: they are lost unless their sender sends them again',
    ['reason'],
  )
  readonly quarantined = this.counter('milepost_quarantined_total', 'Refused records kept for inspection', ['code'])
  readonly quarantineDropped = this.counter(
    'milepost_quarantine_dropped_total',
    'Refused records that could not be kept',
  )
  readonly watchers = this.gauge('milepost_live_watchers', 'Users connected to the live feed')
  readonly liveSent = this.counter('milepost_live_sent_total', 'Events sent to watchers', ['event'])
  readonly liveSkipped = this.counter(
    'milepost_live_skipped_total',
    'Events held back from a slow watcher, who gets the newest of each device later',
    ['event'],
  )
  readonly mediaSeconds = new Histogram({
    name: 'milepost_media_seconds',
    help: 'From the beginning to the end of the work on one video',
    buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120],
    registers: [this.registry],
  })
  readonly mediaOutcomes = this.counter(
    'milepost_media_outcomes_total',
    'Videos that were worked on, by outcome: ready, or why not',
    ['outcome'],
  )
  readonly mediaRunning = this.gauge('milepost_media_running', 'Videos that are worked on now')
  readonly commands = this.counter('milepost_commands_total', 'Commands that came into a state', ['type', 'status'])
  readonly commandsResent = this.counter('milepost_commands_resent_total', 'Commands that went out again', ['type'])
  private countOpenCommands: () => Iterable<readonly [status: string, count: number]> = () => []
  private readonly openCommands: Gauge<'status'> = new Gauge({
    name: 'milepost_commands_open',
    help: 'Commands that have not ended',
    labelNames: ['status'],
    registers: [this.registry],
    collect: () => {
      for (const [status, count] of this.countOpenCommands()) this.openCommands.set({ status }, count)
    },
  })
  readonly commandAnswerSeconds = new Histogram({
    name: 'milepost_command_answer_seconds',
    help: 'From the first sending of a command to the answer of its unit',
    labelNames: ['type'],
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600],
    registers: [this.registry],
  })
  readonly retentionRemoved = this.counter('milepost_retention_removed_total', 'Records removed by age', ['store'])
  readonly retentionFailed = this.counter('milepost_retention_failed_total', 'Removals by age that failed', ['store'])
  readonly uploads = this.counter(
    'milepost_uploads_total',
    'Requests that were to bring bytes of videos, by what became of them',
    ['way', 'outcome'],
  )
  readonly uploadBytes = this.counter('milepost_upload_bytes_total', 'Bytes of videos that came in', ['way'])
  private countOpenUploads: () => Iterable<readonly [way: string, count: number]> = () => []
  private readonly openUploads: Gauge<'way'> = new Gauge<'way'>({
    name: 'milepost_uploads_open',
    help: 'Requests that bring bytes of videos now',
    labelNames: ['way'],
    registers: [this.registry],
    collect: () => {
      for (const [way, count] of this.countOpenUploads()) this.openUploads.set({ way }, count)
    },
  })
  readonly diskFreeBytes = this.gauge('milepost_disk_free_bytes', 'Free bytes on the data disk')
  readonly storeUp = this.gauge('milepost_store_up', '1 while the store works', ['store'])

  constructor() {
    collectDefaultMetrics({ register: this.registry })
  }

  /** How many commands are open is asked when somebody looks. */
  watchOpenCommands(count: () => Iterable<readonly [status: string, count: number]>): void {
    this.countOpenCommands = count
  }

  /** How many positions wait is asked when somebody looks: it changes with every event. */
  watchWaitingPositions(count: () => number): void {
    this.countWaitingPositions = count
  }

  /** The same of alarms. */
  watchWaitingAlarms(count: () => number): void {
    this.countWaitingAlarms = count
  }

  /** How many frames wait for the raw archive. */
  watchWaitingFrames(count: () => number): void {
    this.countWaitingFrames = count
  }

  /** @param count how many uploads are under way, by way; the ways never change */
  watchOpenUploads(count: () => Iterable<readonly [way: string, count: number]>): void {
    this.countOpenUploads = count
  }

  /** What waits in the spool is asked when somebody looks. */
  watchSpool(look: () => SpoolLook): void {
    this.lookAtSpool = look
  }

  private counter<L extends string = never>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> {
    return new Counter<L>({ name, help, labelNames: [...labelNames], registers: [this.registry] })
  }

  private gauge<L extends string = never>(name: string, help: string, labelNames: readonly L[] = []): Gauge<L> {
    return new Gauge<L>({ name, help, labelNames: [...labelNames], registers: [this.registry] })
  }
}
