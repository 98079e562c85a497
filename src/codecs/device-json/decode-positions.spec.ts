import { decodePositions } from './decode-positions.js'

const RECEIVED = 1_790_000_000_000
const FIX = { time: '2026-11-22T07:30:00Z', latitude: 48.1, longitude: 11.5 }

function decodeOne(fields: unknown) {
  const records = decodePositions(fields, 'd1', RECEIVED)
  if (typeof records === 'string') throw new Error(records)
  return records[0]
}

const codeOf = (fields: unknown) => decodeOne(fields)?.refusal?.code

describe('decodePositions', () => {
  it('decodes a whole position', () => {
    const whole = {
      ...FIX,
      altitude: 519.5,
      speed: 42.25,
      heading: 271,
      accuracy: 3,
      satellites: 11,
      hasFix: true,
      attributes: { ignition: true, driver: 'Ω', fuelLevelPct: 61.5 },
    }
    expect(decodeOne(whole)).toEqual({
      position: {
        deviceId: 'd1',
        timeMs: Date.UTC(2026, 10, 22, 7, 30),
        discriminator: 0,
        receivedAtMs: RECEIVED,
        latitude: 48.1,
        longitude: 11.5,
        hasFix: true,
        altitudeM: 519.5,
        speedKmh: 42.25,
        headingDeg: 271,
        accuracyM: 3,
        satellites: 11,
        attributes: { ignition: true, driver: 'Ω', fuelLevelPct: 61.5 },
      },
    })
  })

  it('takes what is absent and what is null alike', () => {
    const bare = decodeOne(FIX)
    const nulls = {
      altitude: null,
      speed: null,
      heading: null,
      accuracy: null,
      satellites: null,
      hasFix: null,
      attributes: null,
    }
    expect(decodeOne({ ...FIX, ...nulls })).toEqual(bare)
    expect(bare?.position).toMatchObject({
      altitudeM: null,
      speedKmh: null,
      headingDeg: null,
      hasFix: true,
      attributes: null,
    })
  })

  it('turns a heading of 360 into 0', () => expect(decodeOne({ ...FIX, heading: 360 })?.position?.headingDeg).toBe(0))

  it('stores exactly 0/0 without a fix', () => {
    expect(decodeOne({ ...FIX, latitude: 0, longitude: 0 })?.position?.hasFix).toBe(false)
    expect(decodeOne({ ...FIX, latitude: 0, longitude: 0.1 })?.position?.hasFix).toBe(true)
    expect(decodeOne({ ...FIX, latitude: -0, longitude: 0 })?.position?.hasFix).toBe(false)
  })

  it('lets a record without a fix be nowhere', () => {
    const { position } = decodeOne({ time: FIX.time, hasFix: false }) ?? {}
    expect(position).toMatchObject({ latitude: null, longitude: null, hasFix: false })
  })

  it.each([
    ['invalid_time', { ...FIX, time: undefined }],
    ['invalid_time', { ...FIX, time: '2026-11-22' }],
    ['invalid_latitude', { ...FIX, latitude: undefined }],
    ['invalid_latitude', { ...FIX, latitude: '48.1' }],
    ['invalid_latitude', { ...FIX, latitude: 90.0001 }],
    ['invalid_longitude', { ...FIX, longitude: null }],
    ['invalid_longitude', { ...FIX, longitude: -180.5 }],
    ['invalid_latitude', { time: FIX.time, hasFix: false, longitude: 11 }],
    ['invalid_field', { ...FIX, speed: -1 }],
    ['invalid_field', { ...FIX, speed: '10' }],
    ['invalid_field', { ...FIX, heading: 361 }],
    ['invalid_field', { ...FIX, altitude: true }],
    ['invalid_field', { ...FIX, accuracy: -0.1 }],
    ['invalid_field', { ...FIX, satellites: 1.5 }],
    ['invalid_field', { ...FIX, hasFix: 'yes' }],
    ['invalid_field', { ...FIX, attributes: [] }],
    ['invalid_field', { ...FIX, attributes: { nested: {} } }],
    ['invalid_field', { ...FIX, attributes: { nothing: null } }],
    ['attributes_too_large', { ...FIX, attributes: { text: 'x'.repeat(4096) } }],
    [
      'attributes_too_large',
      { ...FIX, attributes: Object.fromEntries([...Array(51).keys()].map((n) => [`a${n}`, n])) },
    ],
  ])('refuses with %s what has %j', (code, fields) => expect(codeOf(fields)).toBe(code))

  it('takes 50 attributes and 4096 bytes', () => {
    const fifty = Object.fromEntries([...Array(50).keys()].map((n) => [`a${n}`, n]))
    expect(decodeOne({ ...FIX, attributes: fifty })?.position?.attributes).toEqual(fifty)
    const longest = { t: 'x'.repeat(4096 - '{"t":""}'.length) }
    expect(decodeOne({ ...FIX, attributes: longest })?.position?.attributes).toEqual(longest)
  })

  it('never lets one bad record refuse its neighbours', () => {
    const records = decodePositions([FIX, 7, { ...FIX, latitude: 91 }, null, FIX], 'd1', RECEIVED)
    if (typeof records === 'string') throw new Error(records)
    expect(records.map(({ refusal }) => refusal?.code)).toEqual([
      undefined,
      'invalid_field',
      'invalid_latitude',
      'invalid_field',
      undefined,
    ])
  })

  it('refuses a whole body that is none or too large', () => {
    expect(decodePositions([], 'd1', RECEIVED)).toBe('empty_batch')
    expect(decodePositions(Array(1001).fill(FIX), 'd1', RECEIVED)).toBe('batch_too_large')
    for (const body of ['text', 7, true, null, undefined])
      expect(decodePositions(body, 'd1', RECEIVED)).toBe('invalid_request')
  })

  it('takes no binary value for an object', () => {
    expect(decodePositions(Buffer.from('{}'), 'd1', RECEIVED)).toBe('invalid_request')
    expect(decodeOne({ ...FIX, attributes: Buffer.from('x') })?.refusal?.code).toBe('invalid_field')
    const records = decodePositions([new Uint8Array(2)], 'd1', RECEIVED)
    expect(records).toEqual([{ refusal: { code: 'invalid_field', message: 'must be an object' } }])
  })

  it('keeps a hostile key as data', () => {
    const fields = JSON.parse(`{"time":"${FIX.time}","latitude":1,"longitude":1,"attributes":{"__proto__":5}}`)
    const attributes = decodeOne(fields)?.position?.attributes
    expect(JSON.stringify(attributes)).toBe('{"__proto__":5}')
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })
})
