import type { DeviceIdentity } from '../../identity/device-directory.js'
import type { DeviceId } from '../../model/device-id.js'

/** What of a device that was let in decides how it is spoken to. */
export interface TrackerDevice {
  readonly deviceId: DeviceId
  readonly model: string | null
  /** Its acknowledgements are switched on (Queclink's SACK). */
  readonly sack: boolean
  /** For commands that need one. */
  readonly commandPassword: string | null
}

/**
 * A device that was let in, as the registry knows it at each moment: what an admin changes holds for connections that are there.
 * @param recall looks into memory
 */
export function toTrackerDevice(
  device: DeviceIdentity,
  recall: (deviceId: DeviceId) => DeviceIdentity | undefined,
): TrackerDevice {
  const { deviceId } = device
  const now = () => recall(deviceId) ?? device
  return {
    deviceId,
    get model() {
      return now().model
    },
    get sack() {
      return now().trackerSack
    },
    get commandPassword() {
      return now().commandPassword
    },
  }
}
