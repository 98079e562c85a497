import type { Attributes } from '../../model/position.js'
import { celsius, type ElementFact, elementAttributes } from '../element-facts.contract.js'
import type { RecordExpectation } from '../tracker-frames.contract.js'

/**
 * Once more, and by themselves, what is known of IO ids. The temperature of the board (32) and the strength of the signal (27) are none
 * of them: in what steps they are told is not known.
 * @source captures of FM-Eco4, FM-Pro4 and newer units, and third-party readings of the maker's lists; limits of 197, 207 and 208 by SAE J1939
 */
export const RUPTELA_FACTS: readonly ElementFact[] = [
  [2, 1, 'digitalInput1', 'flag'],
  [3, 1, 'digitalInput2', 'flag'],
  [4, 1, 'digitalInput3', 'flag'],
  [5, 1, 'ignition', 'flag'],
  [13, 1, 'movement', 'flag'],
  [20, 2, 'analogInput3V', { per: 1000 }],
  [21, 2, 'analogInput4V', { per: 1000 }],
  [22, 2, 'analogInput1V', { per: 1000 }],
  [23, 2, 'analogInput2V', { per: 1000 }],
  [29, 2, 'externalVoltageV', { per: 1000 }],
  [30, 2, 'batteryVoltageV', { per: 1000 }],
  [34, 8, 'driverKey', 'key'],
  [65, 4, 'odometerM', 'number'],
  [78, 2, 'temperature1C', celsius(10)],
  [79, 2, 'temperature2C', celsius(10)],
  [80, 2, 'temperature3C', celsius(10)],
  [88, 1, 'jamming', 'flag'],
  [94, 2, 'engineSpeedRpm', { per: 4 }],
  [95, 1, 'vehicleSpeedKmh', 'number'],
  [150, 4, 'operatorCode', 'number'],
  [163, 4, 'vehicleOdometerM', { times: 5 }],
  [173, 1, 'movement', 'flag'],
  [197, 2, 'engineSpeedRpm', { per: 8, most: 8031.875 }],
  [207, 1, 'fuelLevelPct', { times: 2, per: 5, most: 100 }],
  [208, 4, 'fuelUsedL', { per: 2, most: 2_105_540_607.5 }],
  [251, 1, 'ignition', 'flag'],
  [409, 1, 'ignition', 'flag'],
  [410, 1, 'towing', 'flag'],
  [411, 1, 'crash', 'flag'],
]

/** All of them: nothing else is told of the record. */
export function ruptelaAttributes({ priority, eventId, hdop, io = [] }: RecordExpectation): Attributes {
  return {
    priority: Number(priority),
    ...(eventId !== 0 && { event: Number(eventId) }),
    hdop: Number(hdop),
    ...elementAttributes(io, RUPTELA_FACTS),
  }
}
