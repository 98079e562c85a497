import { Trackers } from '../../src/ingress/tracker/trackers.js'
import type { RawFrameStore } from '../../src/storage/frames/raw-frame-store.js'
import type { PositionStore } from '../../src/storage/positions/position-store.js'
import { type RunningApp, startApp } from './app.js'
import { TRACKER_BRANDS } from './tracker-brand.js'

/** The whole application, with a free port for the trackers of each brand. */
export interface TrackerApp extends RunningApp {
  portOf(protocol: string): number
}

/** A position as the API shows it. */
export interface StoredPosition {
  readonly time: string
  readonly latitude: number | null
  readonly longitude: number | null
  readonly altitude: number | null
  readonly speed: number | null
  readonly heading: number | null
  readonly accuracy: number | null
  readonly satellites: number | null
  readonly hasFix: boolean
  readonly attributes: Readonly<Record<string, unknown>> | null
}

/** Recorded frames are old, and the ids in them are real ones that not always have a check digit. */
const FOR_FRAMES = {
  RETENTION_DAYS: '0',
  IMEI_CHECK: 'any',
  DEVICE_ENROLMENT: 'open',
  LOGIN_FAILURES_PER_MINUTE: '0',
} as const

export async function startTrackerApp(
  environment: Record<string, string> = {},
  decorate?: (store: PositionStore) => PositionStore,
  frames?: (store: RawFrameStore) => RawFrameStore,
): Promise<TrackerApp> {
  const running = await startApp({ ...FOR_FRAMES, ...environment }, decorate, frames)
  const trackers = running.app.get(Trackers)
  const ports = new Map<string, number>()
  for (const { codec, protocol } of TRACKER_BRANDS) ports.set(protocol, await trackers.listenFor(codec, 0))
  return { ...running, portOf: (protocol) => ports.get(protocol) ?? 0 }
}

/** Adds a device whose acknowledgements are switched on, where that is a matter of settings. */
export async function addTracker(
  { api, admin }: RunningApp,
  imei: string,
  settings: Record<string, unknown> = {},
): Promise<void> {
  const added = await api.post('/api/v1/devices', { deviceId: imei, ...settings }, admin)
  const token = admin
  const changed = await api.request('PATCH', `/api/v1/devices/${imei}`, { token, body: { trackerSack: true } })
  if (added.status !== 201 || changed.status !== 200) throw new Error(`${added.text} ${changed.text}`)
}

/** Everything that is stored of a device, in time order. */
export function storedOf({ api, admin }: RunningApp, imei: string): Promise<StoredPosition[]> {
  return api.all<StoredPosition>(`/api/v1/devices/${imei}/track?include=all&limit=500`, admin)
}

export async function storedTimes(running: RunningApp, imei: string): Promise<number[]> {
  return (await storedOf(running, imei)).map(({ time }) => Date.parse(time))
}
