import type { Attributes } from '../../model/position.js'
import { celsius, type ElementFact, elementAttributes } from '../element-facts.contract.js'
import type { RecordExpectation } from '../tracker-frames.contract.js'

/**
 * Once more, and by themselves, what the documents say of AVL ids.
 * @source Teltonika, lists of AVL ids of the FMB and FMC families
 */
export const TELTONIKA_FACTS: readonly ElementFact[] = [
  [1, 1, 'digitalInput1', 'flag'],
  [2, 1, 'digitalInput2', 'flag'],
  [3, 1, 'digitalInput3', 'flag'],
  [4, 1, 'digitalInput4', 'flag'],
  [9, 2, 'analogInput1V', { per: 1000 }],
  [10, 2, 'analogInput2V', { per: 1000 }],
  [16, 4, 'odometerM', 'number'],
  [17, 2, 'accelerationXG', { signed: true, per: 1000 }],
  [18, 2, 'accelerationYG', { signed: true, per: 1000 }],
  [19, 2, 'accelerationZG', { signed: true, per: 1000 }],
  [21, 1, 'gsmSignal', 'number'],
  [24, 2, 'vehicleSpeedKmh', 'number'],
  [66, 2, 'externalVoltageV', { per: 1000 }],
  [67, 2, 'batteryVoltageV', { per: 1000 }],
  [68, 2, 'batteryCurrentA', { per: 1000 }],
  [69, 1, 'gnssState', 'number'],
  [72, 4, 'temperature1C', celsius(10)],
  [73, 4, 'temperature2C', celsius(10)],
  [74, 4, 'temperature3C', celsius(10)],
  [75, 4, 'temperature4C', celsius(10)],
  [78, 8, 'driverKey', 'key'],
  [113, 1, 'batteryLevelPct', 'number'],
  [179, 1, 'digitalOutput1', 'flag'],
  [180, 1, 'digitalOutput2', 'flag'],
  [181, 2, 'pdop', { per: 10 }],
  [182, 2, 'hdop', { per: 10 }],
  [199, 4, 'tripOdometerM', 'number'],
  [200, 1, 'sleepMode', 'number'],
  [239, 1, 'ignition', 'flag'],
  [240, 1, 'movement', 'flag'],
  [241, 4, 'operatorCode', 'number'],
  [256, 0, 'vin', 'text'],
  [281, 0, 'faultCodes', 'text'],
  [10800, 2, 'beaconTemperature1C', celsius(100)],
  [10801, 2, 'beaconTemperature2C', celsius(100)],
  [10802, 2, 'beaconTemperature3C', celsius(100)],
  [10803, 2, 'beaconTemperature4C', celsius(100)],
]

/** All of them: nothing else is told of the record. */
export function teltonikaAttributes({ priority, eventId, generationType, io = [] }: RecordExpectation): Attributes {
  return {
    priority: Number(priority),
    ...(eventId !== 0 && { event: Number(eventId) }),
    ...(generationType !== undefined && { generationType: Number(generationType) }),
    ...elementAttributes(io, TELTONIKA_FACTS),
  }
}
