import { count, flag, key, scaled, scaledSigned, temperature, text } from '../element-values.js'
import type { KnownElement } from '../tracker-attributes.js'

/**
 * Elements that are the same on practically all devices of the brand, by AVL id.
 * @source Teltonika, lists of AVL ids of the FMB and FMC families
 */
export const TELTONIKA_ELEMENTS: ReadonlyMap<number, KnownElement> = new Map<number, KnownElement>([
  [1, flag('digitalInput1')],
  [2, flag('digitalInput2')],
  [3, flag('digitalInput3')],
  [4, flag('digitalInput4')],
  [9, scaled(2, 'analogInput1V', 0.001)],
  [10, scaled(2, 'analogInput2V', 0.001)],
  [16, count(4, 'odometerM')],
  [17, scaledSigned(2, 'accelerationXG', 0.001)],
  [18, scaledSigned(2, 'accelerationYG', 0.001)],
  [19, scaledSigned(2, 'accelerationZG', 0.001)],
  [21, count(1, 'gsmSignal')],
  [24, count(2, 'vehicleSpeedKmh')],
  [66, scaled(2, 'externalVoltageV', 0.001)],
  [67, scaled(2, 'batteryVoltageV', 0.001)],
  [68, scaled(2, 'batteryCurrentA', 0.001)],
  [69, count(1, 'gnssState')],
  [72, temperature(4, 'temperature1C', 0.1)],
  [73, temperature(4, 'temperature2C', 0.1)],
  [74, temperature(4, 'temperature3C', 0.1)],
  [75, temperature(4, 'temperature4C', 0.1)],
  [78, key('driverKey')],
  [113, count(1, 'batteryLevelPct')],
  [179, flag('digitalOutput1')],
  [180, flag('digitalOutput2')],
  [181, scaled(2, 'pdop', 0.1)],
  [182, scaled(2, 'hdop', 0.1)],
  [199, count(4, 'tripOdometerM')],
  [200, count(1, 'sleepMode')],
  [239, flag('ignition')],
  [240, flag('movement')],
  [241, count(4, 'operatorCode')],
  [256, text('vin')],
  [281, text('faultCodes')],
  [10800, temperature(2, 'beaconTemperature1C', 0.01)],
  [10801, temperature(2, 'beaconTemperature2C', 0.01)],
  [10802, temperature(2, 'beaconTemperature3C', 0.01)],
  [10803, temperature(2, 'beaconTemperature4C', 0.01)],
])
