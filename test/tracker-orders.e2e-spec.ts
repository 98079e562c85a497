import { setTimeout as sleep } from 'node:timers/promises'
import { CRC16_MODBUS } from '../src/codecs/crc16.js'
import { encodeHeadPacket, encodeTagPacket } from '../src/codecs/galileosky/encode-records.js'
import { QUECLINK } from '../src/codecs/queclink/queclink-codec.js'
import { encodeRecordsFrame, encodeUnitFrame } from '../src/codecs/ruptela/encode-records.js'
import { encodePacket } from '../src/codecs/teltonika/encode-command.js'
import { encodeLogin, encodeRecordsPacket } from '../src/codecs/teltonika/encode-records.js'
import { framesOf } from '../src/codecs/tracker-frames.contract.js'
import { FrameBuffer } from '../src/ingress/tracker/frame-buffer.js'
import { testImei } from './support/api.js'
import { removeTemporaryDirectories } from './support/temporary-directory.js'
import { addTracker, startTrackerApp, storedOf, storedTimes, type TrackerApp } from './support/tracker-app.js'
import {
  type Exchange,
  GALILEOSKY_UNITS,
  QUECLINK_UNITS,
  RUPTELA_UNITS,
  sentRecord,
  TELTONIKA_UNITS,
  type TrackerBrand,
} from './support/tracker-brand.js'
import { TrackerUnit } from './support/tracker-unit.js'

const AT_ONCE_MS = 2000
const FRAME_LIMIT_MS = 2000
/** What comes of a message that is answered before all of it is done, or not at all. */
const KNOWN_WITHIN_MS = 15_000
/** As the network brings what is longer. */
const PACKET_BYTES = 1400
const SILENCE_MS = 100
const FORGOTTEN_MS = FRAME_LIMIT_MS + 3000

let running: TrackerApp
let imei: string
let devices = 0
const units: TrackerUnit[] = []

beforeAll(async () => {
  running = await startTrackerApp({ TRACKER_FRAME_TIMEOUT_S: String(FRAME_LIMIT_MS / 1000) })
})
beforeEach(async () => {
  imei = await newDevice()
})
afterEach(() => {
  for (const unit of units.splice(0)) unit.close()
})
afterAll(async () => {
  await running.close()
  await removeTemporaryDirectories()
})

async function newDevice(): Promise<string> {
  devices++
  const id = testImei(devices)
  await addTracker(running, id)
  return id
}

async function connect({ protocol }: TrackerBrand, app = running): Promise<TrackerUnit> {
  const unit = await TrackerUnit.connect(app.portOf(protocol))
  units.push(unit)
  return unit
}

async function arrive(brand: TrackerBrand): Promise<TrackerUnit> {
  const unit = await connect(brand)
  const hello = brand.hello(imei)
  if (hello !== undefined) await exchange(unit, hello)
  return unit
}

async function exchange(unit: TrackerUnit, { bytes, answer }: Exchange): Promise<void> {
  unit.send(bytes)
  expect(await unit.answer(answer.length / 2)).toBe(answer)
}

/** It is answered nothing, and the connection is open: what comes after it is heard. */
async function expectPassedOver(brand: TrackerBrand, unit: TrackerUnit, bytes: Uint8Array): Promise<void> {
  unit.send(bytes)
  await exchange(unit, brand.sign(imei))
}

async function expectClosed(unit: TrackerUnit, bytes: Uint8Array): Promise<void> {
  const startedMs = performance.now()
  unit.send(bytes)
  expect(await unit.ended()).toBe('')
  expect(performance.now() - startedMs).toBeLessThan(AT_ONCE_MS)
}

const one = (brand: TrackerBrand, n: number) => brand.records(imei, [sentRecord(n)], n)
const timesOf = (...ns: readonly number[]) => ns.map((n) => sentRecord(n).timeMs)
const stored = () => storedTimes(running, imei)
/** What of the unit was refused, and why; it comes to be known a moment after the answer. */
async function quarantined(): Promise<{ code: string; raw: string }[]> {
  for (const untilMs = performance.now() + KNOWN_WITHIN_MS; ; ) {
    const kept = await running.api.all<{ code: string; raw: string }>(
      `/api/v1/quarantine?deviceId=${imei}`,
      running.admin,
    )
    if (kept.length > 0 || performance.now() > untilMs) return kept
    await sleep(20)
  }
}
const refusedCodes = async () => (await quarantined()).map(({ code }) => code)
const textOf = (text: string) => Buffer.from(text, 'latin1')

describe('order on connections of Teltonika', () => {
  const brand = TELTONIKA_UNITS

  it.each([14, 16, 255, 65_535])('a login that announces %i digits: closed at once', async (length) => {
    const login = encodeLogin('1'.repeat(length))
    await expectClosed(await connect(brand), login.subarray(0, 1000))
  })

  it('a login of which ten digits come waits for the rest, and for no longer than the limit', async () => {
    const unit = await connect(brand)
    unit.send(encodeLogin(imei).subarray(0, 12))
    await sleep(SILENCE_MS)
    expect(unit.isEnded).toBe(false)
    const startedMs = performance.now()
    expect(await unit.ended()).toBe('')
    expect(performance.now() - startedMs).toBeLessThan(FORGOTTEN_MS)
  })

  it('a second login of the same unit is answered again', async () => {
    const unit = await arrive(brand)
    await exchange(unit, one(brand, 0))
    await exchange(unit, { bytes: encodeLogin(imei), answer: '01' })
    await exchange(unit, one(brand, 1))
    expect(await stored()).toEqual(timesOf(0, 1))
  })

  it('a sign of life may come before the login and between packets, unanswered, and is data within', async () => {
    const ping = Buffer.of(0xff)
    const unit = await connect(brand)
    unit.send(ping, ping)
    await exchange(unit, { bytes: encodeLogin(imei), answer: '01' })
    unit.send(ping)
    await exchange(unit, one(brand, 0))
    unit.send(Buffer.alloc(3000, 0xff))
    await exchange(unit, one(brand, 1))
    expect(await stored()).toEqual(timesOf(0, 1))
    const login = encodeLogin(imei)
    const pinged = Buffer.concat([login.subarray(0, 2), ping, login.subarray(2)])
    await expectClosed(await connect(brand), pinged)
  })

  it('records before the login: closed, nothing stored', async () => {
    await expectClosed(await connect(brand), one(brand, 0).bytes)
    expect(await stored()).toEqual([])
  })

  it('a message of Codec 14 or 15 before the login: closed, though it names its unit', async () => {
    for (const id of ['tel-c14-getver-ack-wiki', 'tel-c15-wiki']) {
      const sample = framesOf('teltonika').find((frame) => frame.id === id)
      await expectClosed(await connect(brand), Buffer.from(sample?.hex ?? '', 'hex'))
    }
  })

  it('messages of Codec 12, 13 and 14 are answered nothing', async () => {
    const texts = framesOf('teltonika').filter(
      ({ transport, direction, expect: { ackHex } }) =>
        transport === 'tcp' && direction === 'device->server' && ackHex === null,
    )
    expect(texts.length).toBeGreaterThan(3)
    for (const {
      hex,
      expect: { imei: named = imei },
    } of texts) {
      const unit = await connect(brand)
      await exchange(unit, { bytes: encodeLogin(named), answer: '01' })
      unit.send(hex)
      await exchange(unit, brand.sign(named))
    }
  })

  it.each(['7fffffff', '80000000', 'ffffffff', '00100000', '00002001'])(
    'a length of 0x%s: closed at its last byte, without waiting for more',
    async (length) => {
      await expectClosed(await arrive(brand), Buffer.from(`00000000${length}`, 'hex'))
    },
  )

  it.each<readonly [string, () => Buffer]>([
    ['of Codec 8 under the id of 8 Extended', () => withCodec(0x8e, encodeRecordsPacket('8', [sentRecord(0)]))],
    ['of Codec 8 Extended under the id of 8', () => withCodec(0x08, encodeRecordsPacket('8E', [sentRecord(0)]))],
    ['of Codec 8 with a group of 16 bytes', withLongElement],
  ])('content %s: closed, nothing stored', async (_, make) => {
    await expectClosed(await arrive(brand), make())
    expect(await stored()).toEqual([])
  })

  it('a refusal of Codec 14 with the checksum that is printed for another unit: closed', async () => {
    const printed = '00000000000000100e011100000008035209308145246801000032ac'
    await expectClosed(await arrive(brand), Buffer.from(printed, 'hex'))
  })

  function withCodec(id: number, packet: Buffer): Buffer {
    const data = Buffer.from(packet.subarray(8, -4))
    data.writeUInt8(id, 0)
    return encodePacket(data)
  }

  /** As a few firmwares send it: after the groups of one, two, four and eight bytes. */
  function withLongElement(): Buffer {
    const data = Buffer.from(encodeRecordsPacket('8', [sentRecord(0)]).subarray(8, -4))
    // How many elements there are stands before the four groups, and behind those the count of records.
    data.writeUInt8(1, data.length - 6)
    const group = Buffer.concat([Buffer.of(1, 250), Buffer.alloc(16, 7)])
    return encodePacket(Buffer.concat([data.subarray(0, -1), group, data.subarray(-1)]))
  }
})

describe('order on connections of Queclink', () => {
  const brand = QUECLINK_UNITS
  interface Changes {
    readonly head?: string
    readonly imei?: string
    readonly name?: string
    readonly time?: string
    readonly place?: string
    readonly count?: string
  }
  const report = (changes: Changes = {}) => {
    const {
      head = '+RESP',
      name = '',
      time = '20260101000000',
      place = '11.500000,48.100000',
      count = '0001',
    } = changes
    return textOf(
      `${head}:GTFRI,060100,${changes.imei ?? imei},${name},,10,1,1,10.0,90,500.0,${place},${time},,,,,00,,,,,,,20260101000001,${count}$`,
    )
  }
  const sack = (count: string) => Buffer.from(`+SACK:${count}$`).toString('hex')
  const AT = Date.parse('2026-01-01T00:00:00.000Z')

  it.each([
    ['$', '$'],
    ['$$$', '$$$'],
    ['an empty line', '\r\n'],
    ['NULs and line ends', '\0\0\r\n\0'],
    ['rubbish closed by a $', 'xx,yy$'],
    ['the half of a text that had a $ in it', 'more of it,20260101000000,0009$'],
    ['a heartbeat without fields', '+ACK:GTHBD$'],
    ['a heartbeat with empty fields', '+ACK:GTHBD,,,,,$'],
    ['a text of a device that has a $ in it', '+RESP:GTDAT,060100,352094081672170,,one $ two,20260101000000,0009$'],
    ['a name of a device in Latin-1 that is not whole', '+RESP:GTFRI,060100,\xe9\xe8$'],
  ])('%s before a message: passed over, and the message counts', async (_, text) => {
    const unit = await arrive(brand)
    unit.send(textOf(text))
    await exchange(unit, one(brand, 0))
    expect(await stored()).toEqual(timesOf(0))
  })

  it('a message that lost its end is refused, and the one that follows it counts', async () => {
    const unit = await arrive(brand)
    unit.send(report().subarray(0, -1))
    await exchange(unit, one(brand, 0))
    expect(await stored()).toEqual(timesOf(0))
  })

  it('rubbish without end in small pieces: closed when it is too much of it', async () => {
    await expectClosed(await arrive(brand), textOf('x$'.repeat(40)))
  })

  it.each([
    ['80 kB without a $', textOf('1'.repeat(80_000))],
    ['10 MB of commas', Buffer.concat([textOf('+RESP:GTFRI,'), Buffer.alloc(10_000_000, 0x2c)])],
    ['a field of 10 kB', textOf(`+RESP:GTFRI,060100,${'9'.repeat(10_000)},$`)],
    ['30,000 short fields', textOf(`+RESP:GTFRI,${'1,'.repeat(30_000)}$`)],
  ])('%s: closed when it is longer than any message', async (_, bytes) => {
    await expectClosed(await arrive(brand), bytes)
  })

  it('as many fields as a message may have are read in no time', async () => {
    const unit = await arrive(brand)
    const counts = Array.from({ length: 20 }, (_, i) => String(1000 + i))
    const fields = '1,'.repeat(3900)
    const messages = counts.map((count) => textOf(`+RESP:GTFRI,060100,${imei},,${fields}20260101000000,${count}$`))
    unit.send(...messages)
    const answers = counts.map(sack).join('')
    expect(await unit.answer(answers.length / 2)).toBe(answers)
    const startedUs = process.cpuUsage().user
    const buffer = new FrameBuffer(QUECLINK)
    let read = 0
    for (let bytes = Buffer.concat(messages); bytes.length > 0; bytes = bytes.subarray(PACKET_BYTES)) {
      buffer.push(bytes.subarray(0, PACKET_BYTES), 0)
      for (let frame = buffer.shift(0); frame !== undefined; frame = buffer.shift(0)) {
        QUECLINK.decode(frame)
        read++
      }
    }
    expect(read).toBe(messages.length)
    // Each takes a few milliseconds; a look at all fields for each of them would take hundreds.
    expect(process.cpuUsage().user - startedUs).toBeLessThan(1_000_000)
  })

  it.each([
    ['14 hexadecimal digits, a MEID,', 'A1000043D20139'],
    ['14 digits', '35209408167217'],
  ])('an identity of %s is let in', async (_, id) => {
    await exchange(await connect(brand), { bytes: report({ imei: id }), answer: '' })
    const isKnown = async () => (await running.api.get(`/api/v1/devices/${id}`, running.admin)).status === 200
    const untilMs = performance.now() + KNOWN_WITHIN_MS
    while (!(await isKnown()) && performance.now() < untilMs) await sleep(20)
    while ((await storedTimes(running, id)).length === 0 && performance.now() < untilMs) await sleep(20)
    expect(await storedTimes(running, id)).toEqual([AT])
  })

  it('a name of the device in Latin-1: stored, with the letters that are none put as such', async () => {
    await exchange(await arrive(brand), { bytes: report({ name: 'Jos\xe9' }), answer: sack('0001') })
    expect((await storedOf(running, imei)).map(({ attributes }) => attributes?.['io.3'])).toEqual(['Jos\ufffd'])
  })

  it('commas in place of points: no place can be found, so that it is stored without one, as of when it was sent', async () => {
    const unit = await arrive(brand)
    await exchange(unit, { bytes: report({ place: '11,500000,48,100000' }), answer: sack('0001') })
    await exchange(unit, one(brand, 0))
    expect(await stored()).toEqual([AT + 1000, ...timesOf(0)])
  })

  it.each([
    ['the 30th of February', '20260230000000'],
    ['a 13th month', '20261301000000'],
    ['twelve digits', '202601010000'],
    ['zeros', '00000000000000'],
  ])('a date that is %s: refused for good, so answered, and the connection goes on', async (_, time) => {
    const unit = await arrive(brand)
    await exchange(unit, { bytes: report({ time }), answer: sack('0001') })
    await exchange(unit, one(brand, 0))
    expect(await stored()).toEqual(timesOf(0))
    expect(await refusedCodes()).toEqual(['invalid_time'])
  })

  it('a date that is empty: stored as of when it was sent, and no fix', async () => {
    await exchange(await arrive(brand), { bytes: report({ time: '' }), answer: sack('0001') })
    const [position] = await storedOf(running, imei)
    expect([Date.parse(position?.time ?? ''), position?.hasFix, position?.latitude]).toEqual([AT + 1000, false, 48.1])
    expect(position?.attributes?.timeIsLocal).toBe(true)
  })

  it('a latitude of 97: refused for good, so answered', async () => {
    await exchange(await arrive(brand), { bytes: report({ place: '11.500000,97.000000' }), answer: sack('0001') })
    expect([await stored(), await refusedCodes()]).toEqual([[], ['invalid_latitude']])
  })

  it.each(['nan', 'Inf', '48.1', '-0.0', ''])('a latitude of "%s": stored without a place', async (latitude) => {
    await exchange(await arrive(brand), { bytes: report({ place: `11.500000,${latitude}` }), answer: sack('0001') })
    const [position] = await storedOf(running, imei)
    expect([position?.latitude, position?.longitude, position?.hasFix]).toEqual([null, null, false])
  })

  it('a report that was kept for later, older than live ones, stands where it belongs; the same once more is no second one', async () => {
    const unit = await arrive(brand)
    await exchange(unit, one(brand, 0))
    await exchange(unit, { bytes: report({ head: '+BUFF', count: 'FFFF' }), answer: sack('FFFF') })
    await exchange(unit, { bytes: report({ count: 'FFFF' }), answer: sack('FFFF') })
    await exchange(unit, { bytes: report({ time: '20260101000005', count: '0000' }), answer: sack('0000') })
    await exchange(unit, { bytes: report({ time: '20260101000006', count: '0000' }), answer: sack('0000') })
    expect(await stored()).toEqual([AT, AT + 5000, AT + 6000, ...timesOf(0)])
  })

  it('a binary message of newer models waits for its end, and for no longer than the limit', async () => {
    const unit = await arrive(brand)
    unit.send(Buffer.concat([textOf('+RSP'), Buffer.from('07000000ff00ff8001000102030405060708', 'hex')]))
    const startedMs = performance.now()
    expect(await unit.ended()).toBe('')
    expect(performance.now() - startedMs).toBeLessThan(FORGOTTEN_MS)
    expect(await stored()).toEqual([])
  })
})

describe('order on connections of Ruptela', () => {
  const brand = RUPTELA_UNITS
  const frame = (command: number, hex = '') => encodeUnitFrame(imei, command, Buffer.from(hex, 'hex'))
  const identification = (command: number) =>
    command === 0x0f
      ? frame(0x0f, `${Buffer.from('Es0400.03.68.04').toString('hex')}${'00'.repeat(22)}`)
      : frame(0x12, '0101010454633035')

  it.each([0, 1, 8, 1021, 0x7fff, 0xffff])('a length of %i: closed at once', async (length) => {
    const bytes = Buffer.alloc(64)
    bytes.writeUInt16BE(length, 0)
    await expectClosed(await connect(brand), bytes)
  })

  it('answers each message by the table, and nothing where it has none', async () => {
    const unit = await arrive(brand)
    await exchange(unit, { bytes: encodeRecordsFrame(imei, false, [sentRecord(0)]), answer: '0002640113bc' })
    await exchange(unit, { bytes: encodeRecordsFrame(imei, true, [sentRecord(1)]), answer: '0002640113bc' })
    await exchange(unit, { bytes: frame(0x09, '00'), answer: '00026d01c4a4' })
    await exchange(unit, { bytes: identification(0x0f), answer: '00027301cb25' })
    await exchange(unit, { bytes: identification(0x12), answer: '00027301cb25' })
    await exchange(unit, { bytes: frame(0x10), answer: '00027401862d' })
    for (const command of [0x02, 0x03, 0x04, 0x07, 0x11, 0x0e, 0x0a, 0x1e, 0x20, 0x26, 0xee])
      await expectPassedOver(brand, unit, frame(command, '00'))
    expect(await stored()).toEqual(timesOf(0, 1))
  })

  it('takes records before the identification as well as after it', async () => {
    const unit = await arrive(brand)
    await exchange(unit, one(brand, 0))
    await exchange(unit, { bytes: identification(0x0f), answer: '00027301cb25' })
    await exchange(unit, one(brand, 1))
    expect(await stored()).toEqual(timesOf(0, 1))
  })

  it('a device that was not let in and goes on sending: nothing more is answered, nothing is stored', async () => {
    const strict = await startTrackerApp({ DEVICE_ENROLMENT: 'registered' })
    try {
      const unit = await connect(brand, strict)
      unit.send(identification(0x0f), one(brand, 0).bytes, one(brand, 1).bytes)
      expect(await unit.ended()).toBe('00037302b4afa3')
      expect(await strict.api.all('/api/v1/devices', strict.admin)).toEqual([])
    } finally {
      await strict.close()
    }
  })

  it('bytes that are left before the checksum: closed, nothing stored', async () => {
    const { bytes } = one(brand, 0)
    await expectClosed(
      await connect(brand),
      encodeUnitFrame(imei, 0x44, Buffer.concat([bytes.subarray(11, -2), Buffer.of(0)])),
    )
    expect(await stored()).toEqual([])
  })

  it('values of eight bytes are kept to the last bit, and what a unit does not know is nowhere on earth', async () => {
    const raw = Buffer.from('ffffffffffffffff', 'hex')
    const known = encodeRecordsFrame(imei, true, [sentRecord(0, { elements: [{ id: 9000, raw }] })])
    const unit = await arrive(brand)
    await exchange(unit, { bytes: known, answer: '0002640113bc' })
    const payload = Buffer.from(encodeRecordsFrame(imei, true, [sentRecord(1)]).subarray(11, -2))
    Buffer.from('80000000800000008000ffffffffffff', 'hex').copy(payload, 9)
    await exchange(unit, { bytes: encodeUnitFrame(imei, 0x44, payload), answer: '0002640113bc' })
    const [first, second] = await storedOf(running, imei)
    expect(first?.attributes?.['io.9000']).toBe('ffffffffffffffff')
    const { latitude, longitude, speed, hasFix } = second ?? {}
    expect({ latitude, longitude, speed, hasFix }).toEqual({
      latitude: null,
      longitude: null,
      speed: null,
      hasFix: false,
    })
  })
})

describe('order on connections of Galileosky', () => {
  const brand = GALILEOSKY_UNITS
  const confirmed = (bytes: Buffer): Exchange => ({ bytes, answer: `02${bytes.subarray(-2).toString('hex')}` })
  const tagsOf = ({ bytes }: Exchange) => bytes.subarray(3, -2)
  const withHeader = (header: number) => {
    const { bytes } = one(brand, 0)
    return Buffer.concat([Buffer.of(header), bytes.subarray(1)])
  }

  it.each([1001, 32_767])('a length of %i: closed at once', async (length) => {
    const bytes = Buffer.alloc(64, 1)
    bytes.writeUInt16LE(length, 1)
    await expectClosed(await arrive(brand), bytes)
  })

  it('a packet without tags is confirmed like any', async () => {
    const unit = await arrive(brand)
    await exchange(unit, confirmed(encodeTagPacket(Buffer.alloc(0))))
    await exchange(unit, one(brand, 0))
  })

  it('a checksum of another header does not hold', async () => {
    for (const header of [0x06, 0x07, 0x08, 0x55]) await expectClosed(await arrive(brand), withHeader(header))
    expect(await stored()).toEqual([])
  })

  it('a checksum that leaves out the header, or stands with its high byte first, does not hold', async () => {
    // Of always the same moment: the two bytes of its sum are not equal.
    const { bytes } = brand.records(imei, [sentRecord(0, { timeMs: Date.UTC(2026, 0, 1) })], 0)
    const [headless, swapped] = [Buffer.from(bytes), Buffer.from(bytes)]
    headless.writeUInt16LE(CRC16_MODBUS(bytes, 1, bytes.length - 2), bytes.length - 2)
    swapped.subarray(-2).swap16()
    for (const wrong of [headless, swapped]) await expectClosed(await arrive(brand), wrong)
    expect(await stored()).toEqual([])
  })

  it('a photo is kept, though not stored, and confirmed by its own byte, what is for a navigator not at all, and what is compressed ends it', async () => {
    const sealed = (header: number) => {
      const bytes = withHeader(header)
      bytes.writeUInt16LE(CRC16_MODBUS(bytes, 0, bytes.length - 2), bytes.length - 2)
      return bytes
    }
    const unit = await arrive(brand)
    const photo = sealed(0x07)
    await exchange(unit, { bytes: photo, answer: `07${photo.subarray(-2).toString('hex')}` })
    expect((await quarantined()).map(({ code, raw }) => [code, raw])).toEqual([
      ['invalid_field', photo.toString('hex')],
    ])
    await expectPassedOver(brand, unit, sealed(0x06))
    for (const header of [0x08, 0x55]) await expectClosed(await arrive(brand), sealed(header))
    expect(await stored()).toEqual([])
  })

  it.each([
    ['of a refrigerator without any of its blocks', `5b${'00'.repeat(7)}`],
    ['of a refrigerator with two of them', `5b001200${'00'.repeat(4)}${'11'.repeat(12)}`],
    ['of a refrigerator with all of them', `5b00ff7f${'00'.repeat(4)}${'22'.repeat(110)}`],
    ['of a user, 255 bytes long,', `eaff${'33'.repeat(255)}`],
    ['of a user, empty,', 'ea00'],
  ])('a tag %s between two records: it is kept whole, and both are stored', async (_, hex) => {
    const tags = [tagsOf(one(brand, 0)), Buffer.from(hex, 'hex'), tagsOf(one(brand, 1))]
    await exchange(await arrive(brand), confirmed(encodeTagPacket(Buffer.concat(tags))))
    const [first, second] = await storedOf(running, imei)
    const [tag, value] = [hex.slice(0, 2), hex.slice(hex.startsWith('ea') ? 4 : 2)]
    expect([Date.parse(first?.time ?? ''), Date.parse(second?.time ?? '')]).toEqual(timesOf(0, 1))
    expect([first?.attributes?.[`io.${tag}`], second?.attributes?.[`io.${tag}`]]).toEqual([value, undefined])
  })

  it('an unknown tag after a record: what came before it is stored, the rest kept with it; before any: nothing is confirmed', async () => {
    const unknown = Buffer.from('9901020304', 'hex')
    const unit = await arrive(brand)
    await exchange(unit, confirmed(encodeTagPacket(Buffer.concat([tagsOf(one(brand, 0)), unknown]))))
    const [first] = await storedOf(running, imei)
    expect(first?.attributes?.['io.unread']).toBe('9901020304')
    expect((await quarantined()).map(({ code, raw }) => [code, raw])).toEqual([['invalid_field', '9901020304']])
    await expectClosed(unit, encodeTagPacket(Buffer.concat([unknown, tagsOf(one(brand, 1))])))
    expect(await stored()).toEqual(timesOf(0))
  })

  it('a packet that has an unknown tag before any record, but names its unit: what there is of it is kept, and then it is confirmed', async () => {
    const head = encodeHeadPacket(imei).subarray(3, -2)
    const tags = Buffer.concat([head, Buffer.from('9901020304', 'hex')])
    await exchange(await connect(brand), confirmed(encodeTagPacket(tags)))
    expect((await quarantined()).map(({ code, raw }) => [code, raw])).toEqual([['invalid_field', tags.toString('hex')]])
  })

  it('a record without a time is refused and kept, and confirmed', async () => {
    const timeless = tagsOf(one(brand, 0)).subarray(5)
    const unit = await arrive(brand)
    await exchange(unit, confirmed(encodeTagPacket(timeless)))
    expect((await quarantined()).map(({ code, raw }) => [code, raw])).toEqual([
      ['invalid_time', timeless.toString('hex')],
    ])
    expect(await stored()).toEqual([])
  })

  it('what is no record between two of them, and a thousand tags of one byte, are confirmed and nothing of them is stored', async () => {
    const between = Buffer.from('04320010' + '0100', 'hex')
    const unit = await arrive(brand)
    await exchange(
      unit,
      confirmed(encodeTagPacket(Buffer.concat([tagsOf(one(brand, 0)), between, tagsOf(one(brand, 1))]))),
    )
    await exchange(unit, confirmed(encodeTagPacket(Buffer.alloc(1000, 0x0101))))
    expect(await stored()).toEqual(timesOf(0, 1))
  })

  it.each([
    ['of satellites', 0x0f, true],
    ['that is not good', 0x19, false],
    ['of cells', 0x20, false],
    ['that nobody knows', 0xf9, false],
  ])('a fix %s is one, or not', async (_, quality, hasFix) => {
    const tags = Buffer.from(tagsOf(one(brand, 0)))
    tags.writeUInt8(quality, 6)
    await exchange(await arrive(brand), confirmed(encodeTagPacket(tags)))
    expect((await storedOf(running, imei)).map((position) => position.hasFix)).toEqual([hasFix])
  })

  it('two units in one packet, and a main packet before the HeadPack: closed, nothing stored', async () => {
    const other = await newDevice()
    const both = [imei, other].map((id) => encodeHeadPacket(id).subarray(3, -2))
    await expectClosed(await connect(brand), encodeTagPacket(Buffer.concat([...both, tagsOf(one(brand, 0))])))
    await expectClosed(await connect(brand), one(brand, 0).bytes)
    expect([await stored(), await storedTimes(running, other)]).toEqual([[], []])
  })
})
