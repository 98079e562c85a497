import type { AppConfig } from '../config/app-config.js'
import { IDEMPOTENCY_KEY_MS } from '../identity/idempotency-claims.js'
import { KNOWN_ADDRESS_MS } from '../identity/known-addresses.js'
import type { RawFrameStore } from '../storage/frames/raw-frame-store.js'
import type { PositionStore } from '../storage/positions/position-store.js'
import type { QuarantineStore } from '../storage/quarantine/quarantine-store.js'
import type { AuditRecords } from '../storage/sql/audit-records.js'
import type { DeviceRecords } from '../storage/sql/device-records.js'
import type { IdempotencyRecords } from '../storage/sql/idempotency-records.js'
import type { UserRecords } from '../storage/sql/user-records.js'
import type { VideoRetention } from '../videos/video-retention.js'
import type { RetentionRule } from './retention.js'

const DAY_MS = 86_400_000
/** After their end, so that a refresh token that comes late is still told apart from an unknown one. */
const KEEP_ENDED_SESSIONS_MS = DAY_MS

/** Raw frames are evidence for finding faults: none is kept longer, whatever else is kept for ever. */
const MOST_FRAME_DAYS = 90

/** The stores that hold what grows. */
export interface GrowingStores {
  readonly positions: PositionStore
  readonly quarantine: QuarantineStore
  readonly frames: RawFrameStore
  readonly audit: AuditRecords
  readonly users: UserRecords
  readonly devices: DeviceRecords
  readonly idempotency: IdempotencyRecords
  readonly videos: VideoRetention
}

/** How long each thing is kept. */
export function retentionRules(config: AppConfig, stores: GrowingStores): RetentionRule[] {
  const hotMs = config.RETENTION_DAYS * DAY_MS
  return [
    { store: 'positions', keepMs: hotMs, remove: (beforeMs) => stores.positions.removeOlderThan(beforeMs) },
    { store: 'quarantine', keepMs: hotMs, remove: (beforeMs) => stores.quarantine.removeOlderThan(beforeMs) },
    {
      store: 'frames',
      keepMs: Math.min(config.RETENTION_DAYS || MOST_FRAME_DAYS, MOST_FRAME_DAYS) * DAY_MS,
      remove: (beforeMs) => stores.frames.removeOlderThan(beforeMs),
    },
    {
      store: 'audit',
      keepMs: config.AUDIT_RETENTION_DAYS * DAY_MS,
      remove: (beforeMs) => stores.audit.removeOlderThan(beforeMs),
    },
    {
      store: 'sessions',
      keepMs: KEEP_ENDED_SESSIONS_MS,
      remove: (beforeMs) => stores.users.removeSessions(beforeMs),
    },
    {
      store: 'addresses',
      keepMs: KNOWN_ADDRESS_MS,
      remove: (beforeMs) => stores.devices.forgetAddresses(beforeMs),
    },
    {
      store: 'idempotency',
      keepMs: IDEMPOTENCY_KEY_MS,
      remove: (beforeMs) => stores.idempotency.removeOlderThan(beforeMs),
    },
    {
      store: 'videos',
      keepMs: config.VIDEO_RETENTION_DAYS * DAY_MS,
      remove: (beforeMs) => stores.videos.removeOlderThan(beforeMs),
    },
  ]
}
