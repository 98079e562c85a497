import type { UnitAlarm } from '../unit/unit-alarm.js'

/** An alarm as JSON units send it: degrees, km/h. */
export function wireAlarmOf({ key, timeMs, speedKmh, fileNames, ...alarm }: UnitAlarm) {
  return {
    type: alarm.type,
    time: new Date(timeMs).toISOString(),
    latitude: alarm.latitude,
    longitude: alarm.longitude,
    ...(speedKmh === null ? {} : { speed: speedKmh }),
    ...(fileNames.length === 0 ? {} : { files: fileNames }),
    attributes: { eventKey: key },
  }
}
