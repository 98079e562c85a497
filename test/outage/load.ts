import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Socket } from 'socket.io-client'
import { type Api, testImei } from '../support/api.js'
import { ADMIN_PASSWORD } from '../support/server-process.js'
import { sha256Of, videoBytes } from '../support/video-bytes.js'
import { compareAlarms } from '../torture/alarm-torture.js'
import { compareTracks } from '../torture/kill-torture.js'
import { RelentlessAlarmUnit } from '../torture/relentless-alarm-unit.js'
import { type Answer, RelentlessUnit } from '../torture/relentless-unit.js'
import { type FaredByKind, MeasuredCalls, type Outcome } from './measured-calls.js'

/** Every event is answered within 10 s; this much later it counts as never. */
const GIVE_UP_MS = 12_000
/** A video is no event: its unit waits for longer. */
const GIVE_UP_VIDEO_MS = 25_000
/** Units come again sooner than they are told, so that more is under way when a store goes. */
const LONGEST_PAUSE_MS = 500
const POSITION_UNITS = 12
const ALARM_UNITS = 4
const VIDEO_BYTES = 200_000

/** What the load found at its end; everything but the first two must be 0 or empty. */
export interface LoadResult {
  readonly acked: Readonly<Record<'positions' | 'alarms' | 'videos', number>>
  readonly resent: number
  readonly lost: number
  readonly doubled: number
  readonly invented: number
  readonly altered: number
  /** Answers that no caller should meet, and calls that were not answered. */
  readonly odd: readonly string[]
}

/** What speaks HTTP in the place of units and people: one call after the other. */
interface HttpCaller {
  readonly kind: string
  /** Prepares the next call, or the last one again when that was not done. */
  call(wasDone: boolean): Promise<Outcome>
}

/** Units that stream positions and alarms, by socket and by HTTP, and upload; people who look. All of it measured. */
export class Load {
  readonly calls = new MeasuredCalls()
  private readonly positionUnits: MeasuredUnit[] = []
  private readonly alarmUnits: MeasuredAlarmUnit[] = []
  private readonly posting: RelentlessUnit[] = []
  private readonly raising: RelentlessAlarmUnit[] = []
  private readonly videos = new Map<string, string>()
  private readonly runs: Promise<void>[] = []
  private isOver = false
  private isGivenUp = false

  private constructor(
    private readonly api: Api,
    private readonly admin: string,
  ) {}

  static async start(api: Api): Promise<Load> {
    const load = new Load(api, await api.login('admin', ADMIN_PASSWORD))
    await load.begin()
    return load
  }

  /** What was counted since it was last asked. */
  take(): FaredByKind {
    return this.calls.take()
  }

  /** Lets everybody finish what they began, and compares what they hold acknowledgements for with what is stored. */
  async finish(): Promise<LoadResult> {
    this.isOver = true
    for (const unit of [...this.positionUnits, ...this.alarmUnits]) unit.finish()
    await Promise.all(this.runs)
    const tracks = await compareTracks(this.api, [...this.positionUnits, ...this.posting], 0)
    const alarms = await compareAlarms(this.api, [...this.alarmUnits, ...this.raising], 0)
    const videos = await this.compareVideos()
    return {
      acked: { positions: tracks.acked, alarms: alarms.acked, videos: this.videos.size },
      resent: tracks.resent + alarms.resent,
      lost: tracks.lost + alarms.lost + videos.lost,
      doubled: tracks.doubled + alarms.doubled,
      invented: tracks.invented + alarms.invented + videos.invented,
      altered: alarms.altered,
      odd: this.calls.odd,
    }
  }

  /** Ends everybody as they are, with nothing compared: for a test that failed meanwhile. Over once what they wait for came or was given up. */
  async stop(): Promise<void> {
    this.isGivenUp = this.isOver = true
    for (const unit of [...this.positionUnits, ...this.alarmUnits]) unit.giveUp()
    await Promise.allSettled(this.runs)
  }

  private async begin(): Promise<void> {
    const startMs = Date.now() - 86_400_000
    let n = 0
    const enrol = async () => {
      const imei = testImei(n++)
      return [imei, await this.api.loginDevice(imei), startMs, Math.random] as const
    }
    for (let unit = 0; unit < POSITION_UNITS; unit++)
      this.positionUnits.push(new MeasuredUnit(this.calls, ...(await enrol())))
    for (let unit = 0; unit < ALARM_UNITS; unit++)
      this.alarmUnits.push(new MeasuredAlarmUnit(this.calls, ...(await enrol())))
    for (const unit of [...this.positionUnits, ...this.alarmUnits]) this.runs.push(unit.run(this.api.url))
    const callers = [
      this.poster(await enrol()),
      this.raiser(await enrol()),
      this.uploader(await enrol()),
      ...this.readers(),
    ]
    for (const caller of callers) this.runs.push(this.keepCalling(caller))
  }

  private async keepCalling({ kind, call }: HttpCaller): Promise<void> {
    let outcome: Outcome = 'done'
    while (!this.isOver || (outcome !== 'done' && !kind.startsWith('read') && !this.isGivenUp)) {
      const wasDone: boolean = outcome === 'done'
      outcome = await this.calls.measure(kind, () => call(wasDone))
      await sleep(outcome === 'done' ? 20 : LONGEST_PAUSE_MS)
    }
  }

  /** Positions by POST /locations, three at a time. */
  private poster([imei, token, startMs]: readonly [string, string, number, () => number]): HttpCaller {
    const unit = new RelentlessUnit(imei, token, startMs, Math.random)
    this.posting.push(unit)
    let timeMs = startMs
    return {
      kind: 'positions by HTTP',
      call: async (wasDone) => {
        if (wasDone) timeMs += 3
        const times = [timeMs, timeMs + 1, timeMs + 2]
        for (const time of times) unit.sent.add(time)
        const body = times.map((time) => ({ time, latitude: 48, longitude: 11.5 }))
        const outcome = await this.request('POST', '/api/v1/locations', token, { json: body })
        if (outcome === 'done') for (const time of times) unit.acked.add(time)
        return outcome
      },
    }
  }

  /** Alarms by POST /alarms. */
  private raiser([imei, token, startMs]: readonly [string, string, number, () => number]): HttpCaller {
    const unit = new RelentlessAlarmUnit(imei, token, startMs, Math.random)
    this.raising.push(unit)
    let timeMs = startMs
    return {
      kind: 'alarms by HTTP',
      call: async (wasDone) => {
        if (wasDone) timeMs += 1
        unit.sent.add(timeMs)
        let id = ''
        const json = { type: 'CRASH', time: timeMs, files: [`${timeMs}.mp4`] }
        const outcome = await this.request('POST', '/api/v1/alarms', token, { json }, (answer) => {
          id = String(answer.id)
        })
        if (outcome !== 'done') return outcome
        unit.acked.add(timeMs)
        unit.ids.set(timeMs, id)
        return outcome
      },
    }
  }

  private uploader([, token]: readonly [string, string, number, () => number]): HttpCaller {
    let n = 0
    let bytes = videoBytes(VIDEO_BYTES)
    return {
      kind: 'uploads',
      call: async (wasDone) => {
        if (wasDone) {
          n += 1
          bytes = videoBytes(VIDEO_BYTES)
        }
        const name = `clip-${n}.mp4`
        const outcome = await this.request('PUT', `/api/v1/videos/${name}`, token, { bytes })
        if (outcome === 'done') this.videos.set(name, sha256Of(bytes))
        return outcome
      },
    }
  }

  private readers(): HttpCaller[] {
    const paths = {
      'reads of devices': '/api/v1/devices?limit=50',
      'reads of alarms': '/api/v1/alarms?limit=50',
      'reads of videos': '/api/v1/videos?limit=50',
      'reads of tracks': `/api/v1/devices/${testImei(0)}/track?limit=50`,
    }
    return Object.entries(paths).map(([kind, path]) => ({ kind, call: () => this.request('GET', path, this.admin) }))
  }

  private async request(
    method: string,
    path: string,
    token: string,
    body: { readonly json?: unknown; readonly bytes?: Buffer } = {},
    take: (answer: Record<string, unknown>) => void = () => {},
  ): Promise<Outcome> {
    const headers: Record<string, string> = { authorization: `Bearer ${token}` }
    if (body.json !== undefined) headers['content-type'] = 'application/json'
    try {
      const response = await fetch(`${this.api.url}${path}`, {
        method,
        headers,
        body:
          body.bytes === undefined
            ? body.json === undefined
              ? undefined
              : JSON.stringify(body.json)
            : new Uint8Array(body.bytes),
        signal: AbortSignal.timeout(body.bytes === undefined ? GIVE_UP_MS : GIVE_UP_VIDEO_MS),
      })
      const text = await response.text()
      const isJson = /\bjson\b/.test(response.headers.get('content-type') ?? '')
      const answer = (isJson ? JSON.parse(text) : {}) as Record<string, unknown>
      if (response.ok) {
        take(answer)
        return 'done'
      }
      if (response.status === 503 && response.headers.has('retry-after')) return refusal(answer.code)
      return `odd: ${response.status} ${text.slice(0, 200)}`
    } catch (error) {
      return `odd: no answer: ${String(error)}`
    }
  }

  private async compareVideos(): Promise<{ lost: number; invented: number }> {
    const listed = await this.api.all<{ id: string; fileName: string; sha256: string }>(
      '/api/v1/videos?limit=500',
      this.admin,
    )
    const whole = new Set<string>()
    for (const { id, fileName, sha256 } of listed) {
      const response = await fetch(`${this.api.url}/api/v1/videos/${id}/content`, {
        headers: { authorization: `Bearer ${this.admin}` },
      })
      const hash = createHash('sha256')
        .update(Buffer.from(await response.arrayBuffer()))
        .digest('hex')
      if (hash === sha256 && sha256 === this.videos.get(fileName)) whole.add(fileName)
    }
    const lost = [...this.videos.keys()].filter((name) => !whole.has(name)).length
    return { lost, invented: listed.length - whole.size }
  }
}

/** Streams positions by socket; each event is measured. */
class MeasuredUnit extends RelentlessUnit {
  constructor(
    private readonly calls: MeasuredCalls,
    ...unit: ConstructorParameters<typeof RelentlessUnit>
  ) {
    super(...unit)
  }

  protected override ask(socket: Socket, event: string, payload: unknown): Promise<Answer | undefined> {
    return measuredAsk(this.calls, 'positions by socket', () => super.ask(socket, event, payload))
  }
}

class MeasuredAlarmUnit extends RelentlessAlarmUnit {
  constructor(
    private readonly calls: MeasuredCalls,
    ...unit: ConstructorParameters<typeof RelentlessAlarmUnit>
  ) {
    super(...unit)
  }

  protected override ask(socket: Socket, event: string, payload: unknown): Promise<Answer | undefined> {
    return measuredAsk(this.calls, 'alarms by socket', () => super.ask(socket, event, payload))
  }
}

async function measuredAsk(
  calls: MeasuredCalls,
  kind: string,
  ask: () => Promise<Answer | undefined>,
): Promise<Answer | undefined> {
  let answer: Answer | undefined
  const outcome = await calls.measure(kind, async () => {
    answer = await ask()
    if (answer === undefined) return 'odd: no answer, or the link was cut'
    return answer.error === undefined ? 'done' : refusal(answer.error.code)
  })
  if (outcome !== 'done') await sleep(LONGEST_PAUSE_MS)
  return answer
}

function refusal(code: unknown): Outcome {
  return code === 'store_unavailable' || code === 'overloaded' ? code : `odd: ${String(code)}`
}
