import type { Position } from '../model/position.js'
import { trackCsvOf } from './track-csv.js'

const START_MS = Date.parse('2026-11-22T07:30:00.000Z')

const position = (fields: Partial<Position> = {}): Position => ({
  deviceId: 'd1',
  timeMs: START_MS,
  discriminator: 0,
  receivedAtMs: START_MS,
  latitude: 48.1635066,
  longitude: -11.5643883,
  hasFix: true,
  altitudeM: -3,
  speedKmh: 42.5,
  headingDeg: 271,
  accuracyM: 3,
  satellites: 11,
  attributes: { ignition: true },
  ...fields,
})

async function write(pages: Position[][]): Promise<string> {
  async function* source() {
    yield* pages
  }
  const pieces: string[] = []
  for await (const piece of trackCsvOf(source())) pieces.push(piece)
  return pieces.join('')
}

const HEADER = 'time,latitude,longitude,altitude,speed,heading,accuracy,satellites,hasFix\r\n'

describe('track CSV', () => {
  it('has the scalar fields in order, numbers as they are, empty cells for what is unset', async () => {
    const bare = position({
      latitude: null,
      longitude: null,
      hasFix: false,
      altitudeM: null,
      speedKmh: null,
      headingDeg: null,
      accuracyM: null,
      satellites: null,
    })
    expect(await write([[position()], [], [bare]])).toBe(
      `${HEADER}2026-11-22T07:30:00.000Z,48.1635066,-11.5643883,-3,42.5,271,3,11,true\r\n` +
        '2026-11-22T07:30:00.000Z,,,,,,,,false\r\n',
    )
  })

  it('has a header row even when there are no positions', async () => {
    expect(await write([[]])).toBe(HEADER)
  })
})
