import { ALARM_TYPES, type AlarmReport, type AlarmType } from '../src/model/alarm.js'
import { testImei } from '../test/support/api.js'

const VARIANTS = 256
const FIRST_TIME_MS_AGO = 30 * 86_400_000
const STEP_MS = 1000
/** Of so many alarms one names a file. */
const FILE_EVERY = 2

/** An alarm as a unit sends it, without its time and files. */
interface Happening {
  readonly type: AlarmType
  readonly latitude: number
  readonly longitude: number
  readonly speed: number
  readonly attributes: { readonly peak: number }
}

/** An alarm as a unit sends it. */
export interface SentAlarm extends Happening {
  readonly time: string
  readonly files: readonly string[]
}

const HAPPENINGS: readonly Happening[] = Array.from({ length: VARIANTS }, (_, n) => {
  const angle = (2 * Math.PI * n) / VARIANTS
  return {
    type: ALARM_TYPES[n % ALARM_TYPES.length] ?? 'SOS',
    latitude: Number((48.1635066 + 0.05 * Math.sin(angle)).toFixed(7)),
    longitude: Number((11.5643883 + 0.05 * Math.cos(angle)).toFixed(7)),
    speed: Number((50 + 30 * Math.sin(angle * 5)).toFixed(1)),
    attributes: { peak: Number((0.5 + (n % 40) / 100).toFixed(2)) },
  }
})

/** The JSON of each after its time and files. */
const TAILS = HAPPENINGS.map((happening) => `,${JSON.stringify(happening).slice(1)}`)

/**
 * Alarms of a number of units, each a second after the unit's last one, every second one with the name of a clip. Texts are put
 * together from parts that were serialised before the load begins.
 */
export class AlarmFleet {
  /** Alarms that each unit has sent. */
  readonly sent: number[]
  private readonly firstTimeMs = Math.floor((Date.now() - FIRST_TIME_MS_AGO) / STEP_MS) * STEP_MS
  private readonly heads: string[] = []

  constructor(readonly units: number) {
    this.sent = Array.from({ length: units }, () => 0)
  }

  get total(): number {
    return this.sent.reduce((sum, one) => sum + one, 0)
  }

  /** The unit's next alarm as JSON. */
  nextAlarm(unit: number): string {
    const n = this.sent[unit] ?? 0
    this.sent[unit] = n + 1
    return `${this.headOf(n)}${TAILS[(n + unit) % VARIANTS]}`
  }

  /** What the unit's n-th alarm was. */
  alarmOf(unit: number, n: number): SentAlarm {
    const happening = HAPPENINGS[(n + unit) % VARIANTS]
    if (happening === undefined) throw new RangeError('no such alarm')
    const time = new Date(this.firstTimeMs + n * STEP_MS).toISOString()
    return { time, files: n % FILE_EVERY === 0 ? [fileNameOf(time)] : [], ...happening }
  }

  /** The same as the pipeline gives it to the store. */
  reportOf(unit: number, n: number): AlarmReport {
    const { type, time, latitude, longitude, speed, files, attributes } = this.alarmOf(unit, n)
    const timeMs = Date.parse(time)
    const place = { latitude, longitude, speedKmh: speed }
    const received = { receivedAtMs: Date.now(), timeSuspect: false }
    return { deviceId: testImei(unit), type, timeMs, eventKey: '', ...received, ...place, attributes, fileNames: files }
  }

  /** One text for all units, made once. */
  private headOf(n: number): string {
    const known = this.heads[n]
    if (known !== undefined) return known
    const { time, files } = this.alarmOf(0, n)
    const head = JSON.stringify({ time, files }).slice(0, -1)
    this.heads[n] = head
    return head
  }
}

/** As cameras name their clips: `20261122-073000-front.mp4`. */
function fileNameOf(time: string): string {
  return `${time.slice(0, 10).replaceAll('-', '')}-${time.slice(11, 19).replaceAll(':', '')}-front.mp4`
}
