import type { Clock } from './clock.js'
import type { Random } from './random.js'
import type { AdminCredentials } from './registration.js'
import type { UnitIdentity } from './socket/device-token.js'
import type { UploadWay } from './socket/socket-transport.js'
import type { TrackerOptions } from './tracker/tracker-options.js'
import type { UnitCommand } from './unit/unit-command.js'
import type { UnitTransport } from './unit/unit-transport.js'
import type { DutyOptions } from './unit-duties.js'

/** What a fleet is asked to do. */
export interface FleetOptions extends DutyOptions {
  /** Scheme, host and port of the server. */
  readonly origin: string
  readonly trucks: number
  /** As `findImeis` takes it. */
  readonly imeiBase: string
  /** Recorded time over real time; 0: as fast as the acks allow. */
  readonly speedup: number
  readonly rebase: boolean
  readonly isLive: boolean
  /** Random order within so many records; Infinity: the whole drive; 0: off. */
  readonly shuffleWindow: number
  readonly clockSkewMs: number
  /** Mean number of alarms of each truck in an hour of its drive; 0: none but the burst. */
  readonly alarmsPerHour: number
  /** Alarms that each truck raises at once when it begins its drive. */
  readonly alarmBurst: number
  /** The trucks carry trackers that speak their brand's protocol; without, units on the device socket. */
  readonly tracker?: TrackerOptions
  /** How clips go to the server; `put` without. */
  readonly uploadWay?: UploadWay
  /** Makes the clips; without, no truck has a camera. */
  readonly ffmpeg?: string
  /** Registers the trucks; without, they must exist or the server must enrol them by itself. */
  readonly admin?: AdminCredentials
  /** Trucks are registered with secrets and present them; needs a state directory. */
  readonly usesSecrets: boolean
  /** Where outboxes and secrets outlive the process; for one fleet at a time. */
  readonly stateDirectory?: string
}

/** What whoever runs a fleet may bring along. */
export interface FleetParts {
  readonly clock?: Clock
  /** Told what a person may want to know, a line each. */
  readonly note?: (line: string) => void
  /** Told of each command whose work is done or begun: once in its life. */
  readonly handleObeyed?: (deviceId: string, command: UnitCommand) => void
  /** Another protocol than the device socket. */
  readonly transportOf?: (identity: UnitIdentity, random: Random) => UnitTransport
}
