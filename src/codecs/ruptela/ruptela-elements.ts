import { count, flag, key, scaled, sized, temperature } from '../element-values.js'
import type { KnownElement } from '../tracker-attributes.js'

/**
 * Elements by IO id. Their sizes differ between models, so that most are taken in each size that was seen. The strength of the signal (27)
 * is none of them: in what steps it is told is not known.
 * @source captures of FM-Eco4, FM-Pro4 and newer units, and third-party readings of the maker's lists
 */
export const RUPTELA_ELEMENTS: ReadonlyMap<number, KnownElement> = new Map<number, KnownElement>([
  [2, flag('digitalInput1')],
  [3, flag('digitalInput2')],
  [4, flag('digitalInput3')],
  [5, flag('ignition')],
  [13, flag('movement')],
  [20, scaled(2, 'analogInput3V', 0.001)],
  [21, scaled(2, 'analogInput4V', 0.001)],
  [22, scaled(2, 'analogInput1V', 0.001)],
  [23, scaled(2, 'analogInput2V', 0.001)],
  [29, scaled(2, 'externalVoltageV', 0.001)],
  [30, scaled(2, 'batteryVoltageV', 0.001)],
  [34, key('driverKey')],
  [65, count(4, 'odometerM')],
  [78, temperature(2, 'temperature1C', 0.1)],
  [79, temperature(2, 'temperature2C', 0.1)],
  [80, temperature(2, 'temperature3C', 0.1)],
  [88, flag('jamming')],
  [94, scaled(2, 'engineSpeedRpm', 0.25)],
  [95, count(1, 'vehicleSpeedKmh')],
  [150, count(4, 'operatorCode')],
  [163, scaled(4, 'vehicleOdometerM', 5)],
  [173, flag('movement')],
  // The highest numbers of each say that the vehicle does not tell.
  [197, sized(2, 'engineSpeedRpm', (raw) => (raw.readUInt16BE() >= 0xfb00 ? undefined : raw.readUInt16BE() / 8))],
  [207, sized(1, 'fuelLevelPct', (raw) => (raw.readUInt8() > 250 ? undefined : Math.round(raw.readUInt8() * 4) / 10))],
  [208, sized(4, 'fuelUsedL', (raw) => (raw.readUInt32BE() >= 0xfb00_0000 ? undefined : raw.readUInt32BE() / 2))],
  [251, flag('ignition')],
  [409, flag('ignition')],
  [410, flag('towing')],
  [411, flag('crash')],
])
