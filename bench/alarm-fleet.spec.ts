import { decodeAlarm } from '../src/codecs/device-json/decode-alarm.js'
import { testImei } from '../test/support/api.js'
import { AlarmFleet } from './alarm-fleet.js'

describe('AlarmFleet', () => {
  it('sends what it says it sent, a second later each time', () => {
    const fleet = new AlarmFleet(3)
    const sent = Array.from({ length: 300 }, () => JSON.parse(fleet.nextAlarm(2)))
    expect(sent).toEqual(Array.from({ length: 300 }, (_, n) => fleet.alarmOf(2, n)))
    expect(fleet.sent).toEqual([0, 0, 300])
    expect(fleet.total).toBe(300)
    expect(Date.parse(sent[299].time) - Date.parse(sent[0].time)).toBe(299_000)
  })

  it('gives the store the same alarms that units send', () => {
    const fleet = new AlarmFleet(2)
    for (let n = 0; n < 300; n++) {
      const { timeSuspect, ...report } = fleet.reportOf(1, n)
      const context = { deviceId: testImei(1), receivedAtMs: report.receivedAtMs, maxFiles: 20 }
      expect(decodeAlarm(JSON.parse(fleet.nextAlarm(1)), context)).toEqual({ alarm: report })
      expect(timeSuspect).toBe(false)
    }
  })
})
