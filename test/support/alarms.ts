import type { Alarm, AlarmReport } from '../../src/model/alarm.js'

const START_MS = Date.parse('2026-11-22T07:30:00.000Z')

/** An alarm as a unit reported it, or with what is given instead. */
export function makeAlarmReport(given: Partial<AlarmReport> = {}): AlarmReport {
  return {
    deviceId: 'd1',
    type: 'CRASH',
    timeMs: START_MS,
    eventKey: '',
    receivedAtMs: START_MS + 1250,
    timeSuspect: false,
    latitude: 48.1635066,
    longitude: 11.5643883,
    speedKmh: 42.5,
    attributes: null,
    fileNames: [],
    ...given,
  }
}

/** The same as it is stored, open and untouched, or with what is given instead. */
export function makeAlarm(given: Partial<Alarm> & Pick<Alarm, 'id'>): Alarm {
  const { fileNames: _, eventKey: __, ...report } = makeAlarmReport()
  return {
    ...report,
    status: 'open',
    note: null,
    assignee: null,
    files: [],
    history: [{ atMs: report.receivedAtMs, by: null, status: 'open', note: null, assignee: null }],
    ...given,
  }
}
