import { makeAlarm } from '../../test/support/alarms.js'
import type { Alarm } from '../model/alarm.js'
import { alarmCsvOf } from './alarm-csv.js'

async function write(pages: Alarm[][]): Promise<string> {
  async function* source() {
    yield* pages
  }
  const pieces: string[] = []
  for await (const piece of alarmCsvOf(source())) pieces.push(piece)
  return pieces.join('')
}

const HEADER = 'id,deviceId,type,time,receivedAt,timeSuspect,latitude,longitude,speed,status,note,assignee\r\n'

describe('alarms as CSV', () => {
  it('has the scalar fields in the order of the item, numbers as they are, empty cells for what is unset', async () => {
    const bare = makeAlarm({ id: 'a2', latitude: null, longitude: null, speedKmh: null, timeSuspect: true })
    expect(await write([[makeAlarm({ id: 'a1', longitude: -11.5, assignee: 'anna' })], [], [bare]])).toBe(
      `${HEADER}a1,d1,CRASH,2026-11-22T07:30:00.000Z,2026-11-22T07:30:01.250Z,false,48.1635066,-11.5,42.5,open,,anna\r\n` +
        'a2,d1,CRASH,2026-11-22T07:30:00.000Z,2026-11-22T07:30:01.250Z,true,,,,open,,\r\n',
    )
  })

  it.each([
    ['=HYPERLINK("http://evil")', `"'=HYPERLINK(""http://evil"")"`],
    ['+49 89 1234', "'+49 89 1234"],
    ['two\r\nlines, and a comma', '"two\r\nlines, and a comma"'],
    ['Größe 行', 'Größe 行'],
  ])('writes the note %p as text that no program takes for more', async (note, cell) => {
    expect((await write([[makeAlarm({ id: 'a1', note })]])).split('open,')[1]).toBe(`${cell},\r\n`)
  })

  it('has a header row even when there are no alarms', async () => {
    expect(await write([[]])).toBe(HEADER)
  })
})
