import { makeAlarmReport } from '../../test/support/alarms.js'
import { DoubtedAlarms } from './doubted-alarms.js'

const report = (timeMs: number) => makeAlarmReport({ deviceId: 'a', timeMs })

describe('DoubtedAlarms', () => {
  it('knows an alarm by its identity, once', () => {
    const doubted = new DoubtedAlarms()
    doubted.add([report(1)])
    expect(doubted.settle({ ...report(1), fileNames: ['other.mp4'], receivedAtMs: 9 })).toBe(true)
    expect(doubted.settle(report(1))).toBe(false)
    expect(doubted.settle({ ...report(1), eventKey: '2' })).toBe(false)
  })

  it('forgets the oldest failures first when there are too many', () => {
    const doubted = new DoubtedAlarms(2)
    doubted.add([report(1), report(2)])
    doubted.add([report(1), report(3)])
    expect([1, 2, 3].map((timeMs) => doubted.settle(report(timeMs)))).toEqual([true, false, true])
  })
})
