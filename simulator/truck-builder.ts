import { createHash, randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { ClipMaker } from './clips/clip-maker.js'
import type { Clock } from './clock.js'
import { AlarmWatch } from './drives/alarm-watch.js'
import type { Drive } from './drives/drive.js'
import { type PlanOptions, planOf } from './drives/plan.js'
import type { FleetOptions, FleetParts } from './fleet-options.js'
import { type Random, randomOf } from './random.js'
import type { UnitIdentity } from './socket/device-token.js'
import type { ServerApi } from './socket/server-api.js'
import { SocketTransport } from './socket/socket-transport.js'
import { TrackerTransport } from './tracker/tracker-transport.js'
import { Truck } from './truck.js'
import { Journal } from './unit/journal.js'
import { Outbox } from './unit/outbox.js'
import { UnitClient } from './unit/unit-client.js'
import type { UnitTransport } from './unit/unit-transport.js'
import { UnitDuties } from './unit-duties.js'

/** Repeats travel in another event than the first, and keep some distance on any batch size. */
const LEAST_REPEAT_DISTANCE = 5

/** Trackers have no keys for alarms, most of them say times in seconds, and a state has to be over before it can begin again. */
const TRACKER_BURST_STEP_MS = 2000

/** Puts the trucks of a fleet together, and keeps what outlives them. */
export class TruckBuilder {
  private readonly journals: Journal[] = []
  private readonly duties: UnitDuties[] = []
  private readonly maker: ClipMaker | undefined
  private readonly clipDirectory: string

  constructor(
    private readonly options: FleetOptions,
    private readonly drives: readonly Drive[],
    private readonly parts: FleetParts,
    private readonly api: ServerApi,
    private readonly clock: Clock,
  ) {
    const { ffmpeg, stateDirectory } = options
    this.clipDirectory = path.join(stateDirectory ?? path.join(tmpdir(), `milepost-clips-${randomUUID()}`), 'clips')
    if (ffmpeg !== undefined) this.maker = new ClipMaker(ffmpeg, this.clipDirectory)
  }

  /**
   * @throws JournalError a damaged file of an earlier life
   * @throws RangeError alarms are asked for over a transport without any
   */
  build(index: number, { deviceId, secret }: UnitIdentity): Truck {
    const { options, clock } = this
    const random = randomOf(`${options.seed}/unit/${index}`)
    const drive = this.drives[index % this.drives.length]
    if (drive === undefined) throw new RangeError('a fleet needs a drive')
    const planOptions = this.planOptionsOf(index)
    const transport = this.transportOf({ deviceId, secret }, random)
    const journal = this.openJournal(deviceId)
    const client = new UnitClient({ transport, outbox: new Outbox(journal), clock, random }, options)
    const duties = this.dutiesOf(deviceId, client, transport, random)
    const planKey = keyOf(drive, planOptions)
    const plan = planOf(drive, planOptions)
    const watch = this.watchOf(index, transport)
    return new Truck({ deviceId, client, duties, watch, plan, planKey, journal, clock })
  }

  /**
   * Closes the files of every truck.
   * @param isOver nothing is left to go on with: the next run begins anew
   */
  async close(isOver: boolean): Promise<void> {
    for (const journal of this.journals) isOver ? journal.remove() : journal.close()
    for (const duties of this.duties) await duties.close()
    const { stateDirectory } = this.options
    if (stateDirectory === undefined) rmSync(path.dirname(this.clipDirectory), { recursive: true, force: true })
    else if (isOver) rmSync(this.clipDirectory, { recursive: true, force: true })
  }

  private transportOf(identity: UnitIdentity, random: Random): UnitTransport {
    const { alarmBurst, alarmsPerHour } = this.options
    const transport = this.parts.transportOf?.(identity, random) ?? this.ownTransportOf(identity, random)
    if (alarmsPerHour + alarmBurst > 0 && !transport.carriesAlarms) throw new RangeError('the protocol has no alarms')
    return transport
  }

  private ownTransportOf(identity: UnitIdentity, random: Random): UnitTransport {
    const { api, clock } = this
    const { tracker, uploadWay } = this.options
    if (tracker !== undefined) return new TrackerTransport(api.origin, identity.deviceId, tracker, clock)
    return new SocketTransport(api, identity, clock, random, uploadWay)
  }

  private dutiesOf(deviceId: string, client: UnitClient, transport: UnitTransport, random: Random): UnitDuties {
    const { maker, options, clock, parts } = this
    const { stateDirectory, isLive } = options
    const duties = new UnitDuties(
      {
        deviceId,
        client,
        transport,
        clock,
        random,
        maker,
        stateDirectory,
        hasInterval: isLive,
        handleObeyed: (command) => parts.handleObeyed?.(deviceId, command),
      },
      options,
    )
    this.duties.push(duties)
    return duties
  }

  private watchOf(index: number, { alarmTypes }: UnitTransport): AlarmWatch | undefined {
    const { alarmBurst, alarmsPerHour, seed, tracker } = this.options
    if (alarmsPerHour + alarmBurst === 0) return undefined
    return new AlarmWatch({
      alarmsPerHour,
      burst: alarmBurst,
      seed: `${seed}/alarms/${index}`,
      ...(alarmTypes === undefined ? {} : { types: alarmTypes }),
      ...(tracker === undefined ? {} : { burstStepMs: TRACKER_BURST_STEP_MS }),
    })
  }

  private planOptionsOf(index: number): PlanOptions {
    const { speedup, rebase, isLive, clockSkewMs, duplicate, batch, shuffleWindow, seed, trucks } = this.options
    return {
      speedup,
      rebase,
      ...(isLive ? { live: { share: index / trucks, isReversed: index % 2 === 1 } } : {}),
      clockSkewMs,
      repeatDistance: duplicate ? Math.max(LEAST_REPEAT_DISTANCE, batch) : 0,
      shuffleWindow,
      seed: `${seed}/plan/${index}`,
    }
  }

  private openJournal(deviceId: string): Journal | undefined {
    const { stateDirectory } = this.options
    if (stateDirectory === undefined) return undefined
    const journal = Journal.open(path.join(stateDirectory, `${deviceId}.journal`))
    this.journals.push(journal)
    return journal
  }
}

/** Equal for plans that make the same records, at whatever pace. */
function keyOf(drive: Drive, options: PlanOptions): string {
  const key = JSON.stringify([
    drive.digest,
    { ...options, speedup: undefined, shuffleWindow: String(options.shuffleWindow) },
  ])
  return createHash('sha256').update(key).digest('hex')
}
