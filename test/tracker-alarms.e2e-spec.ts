import { encodeHeadPacket, encodeRecordsPacket as encodeTagRecords } from '../src/codecs/galileosky/encode-records.js'
import { GALILEOSKY } from '../src/codecs/galileosky/galileosky-codec.js'
import { encodeHeartbeat } from '../src/codecs/queclink/encode-report.js'
import { QUECLINK } from '../src/codecs/queclink/queclink-codec.js'
import { encodeRecordsFrame } from '../src/codecs/ruptela/encode-records.js'
import { RUPTELA } from '../src/codecs/ruptela/ruptela-codec.js'
import type { SentElement, SentRecord } from '../src/codecs/sent-record.js'
import { encodeLogin, encodeRecordsPacket } from '../src/codecs/teltonika/encode-records.js'
import { TELTONIKA } from '../src/codecs/teltonika/teltonika-codec.js'
import type { TrackerCodec } from '../src/codecs/tracker-codec.js'
import { Trackers } from '../src/ingress/tracker/trackers.js'
import type { AlarmJson } from '../src/web/alarm-json.js'
import { testImei } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { TrackerUnit } from './support/tracker-unit.js'

const NOON_MS = Date.UTC(2026, 4, 17, 12)
const OPEN = { RETENTION_DAYS: '0', DEVICE_ENROLMENT: 'open' }

let running: RunningApp
let units: TrackerUnit[] = []
const ports = new Map<string, number>()

async function start(environment: Record<string, string>): Promise<void> {
  running = await startApp({ ...OPEN, ...environment })
  ports.clear()
  for (const codec of [TELTONIKA, QUECLINK, RUPTELA, GALILEOSKY]) {
    ports.set(codec.protocol, await running.app.get(Trackers).listenFor(codec, 0))
  }
}

async function connect({ protocol }: TrackerCodec): Promise<TrackerUnit> {
  const unit = await TrackerUnit.connect(ports.get(protocol) ?? 0)
  units.push(unit)
  return unit
}

/** Oldest first. */
async function alarmsOf(imei: string): Promise<AlarmJson[]> {
  return running.api.all<AlarmJson>(`/api/v1/alarms?deviceId=${imei}&sort=time`, running.admin)
}

function record(changes: Partial<SentRecord> = {}): SentRecord {
  return {
    timeMs: NOON_MS,
    latitude: 48.137154,
    longitude: 11.576124,
    altitudeM: 519,
    speedKmh: 36,
    headingDeg: 90,
    satellites: 9,
    eventId: 0,
    elements: [],
    ...changes,
  }
}

/** A record that is caused by an element of one byte. */
const caused = (eventId: number, value: number): SentRecord =>
  record({ eventId, elements: [{ id: eventId, raw: Buffer.of(value) }] })

afterEach(() => {
  for (const unit of units) unit.close()
  units = []
})

describe('an event of a tracker', () => {
  let nextImei = 7300

  beforeAll(() => start({}))

  afterAll(async () => {
    await running.close()
    await removeTemporaryDirectories()
  })

  const expectAlarms = async (imei: string, type: string | undefined, eventKey: string) => {
    const alarms = await alarmsOf(imei)
    if (type === undefined) return expect(alarms).toEqual([])
    const [alarm, ...more] = alarms
    expect(more).toEqual([])
    expect(alarm).toMatchObject({
      deviceId: imei,
      type,
      time: new Date(NOON_MS).toISOString(),
      timeSuspect: false,
      latitude: 48.137154,
      longitude: 11.576124,
      speed: 36,
      status: 'open',
    })
    expect(alarm?.attributes?.eventKey).toBe(eventKey)
  }

  it.each<readonly [id: number, value: number, type: string | undefined]>([
    [236, 1, 'SOS'],
    [236, 0, undefined],
    [242, 1, 'SOS'],
    [246, 1, 'TOWING'],
    [246, 0, undefined],
    [247, 1, 'CRASH'],
    [247, 6, 'CRASH'],
    [247, 2, undefined],
    [249, 1, 'JAMMING'],
    [318, 2, 'JAMMING'],
    [318, 0, undefined],
    [251, 1, 'IDLING'],
    [251, 0, undefined],
    [252, 1, 'POWER_CUT'],
    [252, 0, undefined],
    [253, 1, 'HARD_ACCELERATION'],
    [253, 2, 'HARD_BRAKE'],
    [253, 3, 'SHARP_TURN'],
    [255, 96, 'OVERSPEED'],
    [155, 1, 'GEOFENCE_ENTER'],
    [231, 0, 'GEOFENCE_EXIT'],
    [70, 3, 'OVERSPEED'],
    [175, 1, 'GEOFENCE_ENTER'],
    [21, 4, undefined],
  ])('of Teltonika, element %d at %d, is %s', async (id, value, type) => {
    const imei = testImei(nextImei++)
    const unit = await connect(TELTONIKA)
    unit.send(encodeLogin(imei))
    expect(await unit.answer(1)).toBe('01')
    const packet = encodeRecordsPacket('8E', [caused(id, value)])
    for (let sent = 0; sent < 2; sent++) {
      unit.send(packet)
      expect(await unit.answer(4)).toBe('00000001')
    }
    await expectAlarms(imei, type, `teltonika.${id}`)
  })

  it.each<readonly [id: number, value: number, type: string | undefined]>([
    [88, 1, 'JAMMING'],
    [88, 0, undefined],
    [134, 1, 'HARD_BRAKE'],
    [136, 1, 'HARD_ACCELERATION'],
    [410, 1, 'TOWING'],
    [411, 1, 'CRASH'],
    [415, 0, 'TAMPER'],
    [415, 1, undefined],
    [758, 1, 'TAMPER'],
    [5, 1, undefined],
  ])('of Ruptela, element %d at %d, is %s', async (id, value, type) => {
    const imei = testImei(nextImei++)
    const unit = await connect(RUPTELA)
    const frame = encodeRecordsFrame(imei, true, [caused(id, value)])
    for (let sent = 0; sent < 2; sent++) {
      unit.send(frame)
      expect(await unit.answer(6)).toBe('0002640113bc')
    }
    await expectAlarms(imei, type, `ruptela.${id}`)
  })

  const BLOCK = '1,36.0,90,519.0,11.576124,48.137154,20260517120000,0262,0001,18d8,6141,00'

  it.each<readonly [head: string, type: string | undefined, eventKey: string]>([
    ['GTSOS,1A0102,IMEI,,0,0,1', 'SOS', 'GTSOS.0'],
    ['GTTOW,040408,IMEI,,,10,1', 'TOWING', 'GTTOW.1'],
    ['GTJDS,040408,IMEI,,2', 'JAMMING', 'GTJDS'],
    ['GTJDS,040408,IMEI,,1', undefined, ''],
    ['GTJDS,6E0C03,IMEI,GV310LAU,2,3', 'JAMMING', 'GTJDS'],
    ['GTJDR,040408,IMEI,', 'JAMMING', 'GTJDR'],
    ['GTMPF,040408,IMEI,', 'POWER_CUT', 'GTMPF'],
    ['GTEPF,1A0102,IMEI,', 'POWER_CUT', 'GTEPF'],
    ['GTBPL,1A0102,IMEI,,3.53', 'LOW_BATTERY', 'GTBPL'],
    ['GTCRA,0F0100,IMEI,,00', 'CRASH', 'GTCRA'],
    ['GTIDN,060100,IMEI,,,', 'IDLING', 'GTIDN'],
    ['GTIDF,060100,IMEI,,,300', undefined, ''],
    ['GTSPD,040408,IMEI,,,01,1', 'OVERSPEED', 'GTSPD.0'],
    ['GTSPD,040408,IMEI,,,00,1', undefined, ''],
    ['GTGEO,1A0102,IMEI,,3,1,1', 'GEOFENCE_ENTER', 'GTGEO.3'],
    ['GTGEO,040408,IMEI,,,30,1', 'GEOFENCE_EXIT', 'GTGEO.3'],
    ['GTHBM,040408,IMEI,,,00,1', 'HARD_BRAKE', 'GTHBM.0'],
    ['GTHBM,040408,IMEI,,,01,1', 'HARD_ACCELERATION', 'GTHBM.0'],
    ['GTHBM,040408,IMEI,,,12,1', 'SHARP_TURN', 'GTHBM.1'],
    ['GTFRI,060100,IMEI,,,10,1', undefined, ''],
  ])('of Queclink, %s, is %s', async (head, type, eventKey) => {
    const imei = testImei(nextImei++)
    const added = await running.api.post('/api/v1/devices', { deviceId: imei }, running.admin)
    expect(added.status).toBe(201)
    const path = `/api/v1/devices/${imei}`
    await running.api.request('PATCH', path, { token: running.admin, body: { trackerSack: true } })
    const unit = await connect(QUECLINK)
    for (const prefix of ['+RESP', '+BUFF']) {
      unit.send(Buffer.from(`${prefix}:${head.replace('IMEI', imei)},${BLOCK},,20260517120003,11F0$`))
      expect(Buffer.from(await unit.answer(11), 'hex').toString()).toBe('+SACK:11F0$')
    }
    await expectAlarms(imei, type, `queclink.${eventKey}`)
  })

  it.each([
    ['that has lost its fix', '0,0.0,0,519.0,11.576124,48.137154,20260517120000', '2026-05-17T12:00:00.000Z'],
    ['that never had one', '0,,,,,,', undefined],
  ])('of a Queclink unit %s is told for each press of the button, however often it is sent', async (_, place, time) => {
    const imei = testImei(nextImei++)
    const unit = await connect(QUECLINK)
    const presses = ['20260517130000', '20260517143000']
    for (const [count, sentAt] of presses.entries()) {
      const report = `:GTSOS,1A0102,${imei},,0,0,1,${place},0262,0001,18d8,6141,00,,${sentAt},000${count}$`
      for (const prefix of ['+RESP', '+BUFF']) unit.send(Buffer.from(`${prefix}${report}`))
    }
    unit.send(encodeHeartbeat(imei, NOON_MS, 1))
    await unit.answer(24)
    const alarms = await alarmsOf(imei)
    expect(alarms.map(({ type, attributes, latitude }) => [type, attributes?.eventKey, latitude])).toEqual(
      presses.map((sentAt, count) => [
        'SOS',
        `queclink.GTSOS.0.${sentAt}.000${count}`,
        time === undefined ? null : 48.137154,
      ]),
    )
    expect(alarms.map((alarm) => alarm.time)).toEqual(
      time === undefined ? ['2026-05-17T13:00:00.000Z', '2026-05-17T14:30:00.000Z'] : [time, time],
    )
  })
})

describe('a state of a Galileosky unit', () => {
  const POWER = 1 << 8
  let directory: string
  let unit: TrackerUnit
  let imei: string
  let nextImei = 7500

  const statusOf = (bits: number): SentElement => {
    const raw = Buffer.alloc(2)
    raw.writeUInt16LE(bits)
    return { id: 0x40, raw }
  }

  beforeAll(async () => {
    directory = temporaryDirectory()
    await start({ DATA_DIR: directory })
  })

  beforeEach(async () => {
    imei = testImei(nextImei++)
    unit = await logIn()
  })

  afterAll(async () => {
    await running.close()
    await removeTemporaryDirectories()
  })

  const logIn = async () => {
    const one = await connect(GALILEOSKY)
    one.send(encodeHeadPacket(imei))
    await one.answer(3)
    return one
  }

  /** One packet, answered. @param told seconds after noon and the status; undefined: the record does not have it */
  const send = async (...told: ReadonlyArray<readonly [seconds: number, bits: number | undefined]>) => {
    const packet = encodeTagRecords(
      told.map(([seconds, bits]) =>
        record({ timeMs: NOON_MS + seconds * 1000, elements: bits === undefined ? [] : [statusOf(bits)] }),
      ),
    )
    unit.send(packet)
    expect(await unit.answer(3)).toBe(`02${packet.subarray(-2).toString('hex')}`)
  }

  const restart = async () => {
    unit.close()
    await running.close()
    await start({ DATA_DIR: directory })
    unit = await logIn()
  }

  /** Type, event key and seconds after noon. */
  const raised = async () =>
    (await alarmsOf(imei)).map(({ type, attributes, time }) => [
      type,
      String(attributes?.eventKey).replace('galileosky.status.', ''),
      (Date.parse(time) - NOON_MS) / 1000,
    ])

  it.each([
    [4, 'GEOFENCE_ENTER'],
    [5, 'LOW_BATTERY'],
    [6, 'TAMPER'],
    [8, 'POWER_CUT'],
    [10, 'VIBRATION'],
    [15, 'TAMPER'],
  ])('that bit %d tells is %s where it begins', async (bit, type) => {
    await send([0, 0], [10, 1 << bit], [20, 1 << bit])
    const [alarm, ...more] = await alarmsOf(imei)
    expect(more).toEqual([])
    expect(alarm).toMatchObject({
      deviceId: imei,
      type,
      time: new Date(NOON_MS + 10_000).toISOString(),
      latitude: 48.137154,
      longitude: 11.576124,
      speed: 36,
    })
    expect(alarm?.attributes).toMatchObject({ eventKey: `galileosky.status.${bit}`, status: 1 << bit })
  })

  it('is raised once, again after it ended, and never for what are no alarms', async () => {
    await send([0, 0x3203])
    await send([10, POWER | 0x3203])
    await send([20, POWER])
    await send([30, undefined])
    await send([40, POWER])
    expect(await raised()).toEqual([['POWER_CUT', '8', 10]])
    await send([50, 0])
    await send([60, POWER])
    expect(await raised()).toEqual([
      ['POWER_CUT', '8', 10],
      ['POWER_CUT', '8', 60],
    ])
  })

  it('is still known after a restart, and in repeats', async () => {
    await send([0, 0], [10, POWER])
    await restart()
    await send([20, POWER])
    await send([0, 0], [10, POWER])
    await send([20, POWER])
    expect(await raised()).toEqual([['POWER_CUT', '8', 10]])
  })

  it('is judged by the unit’s time in blocks that come late', async () => {
    await send([0, 0])
    await send([100, POWER])
    await send([20, POWER], [30, POWER], [40, 0])
    await send([110, POWER], [120, POWER | (1 << 10)])
    expect(await raised()).toEqual([
      ['POWER_CUT', '8', 20],
      ['POWER_CUT', '8', 100],
      ['VIBRATION', '10', 120],
    ])
    await send([115, 0])
    expect((await raised()).slice(2).sort()).toEqual([
      ['POWER_CUT', '8', 120],
      ['VIBRATION', '10', 120],
    ])
  })
})

describe('a state in records that are refused', () => {
  beforeAll(() => start({ RETENTION_DAYS: '90' }))

  afterAll(async () => {
    await running.close()
    await removeTemporaryDirectories()
  })

  it('is an alarm where the refused record before did not have it, with its time under suspicion', async () => {
    const imei = testImei(7700)
    const unit = await connect(GALILEOSKY)
    unit.send(encodeHeadPacket(imei))
    await unit.answer(3)
    for (const [days, bits] of [
      [1, 0],
      [2, 1 << 8],
      [3, 1 << 8],
      [4, 0],
      [5, 1 << 8],
    ] as const) {
      const raw = Buffer.alloc(2)
      raw.writeUInt16LE(bits)
      unit.send(encodeTagRecords([record({ timeMs: days * 86_400_000, elements: [{ id: 0x40, raw }] })]))
      await unit.answer(3)
    }
    expect((await alarmsOf(imei)).map(({ type, time, timeSuspect }) => [type, time, timeSuspect])).toEqual([
      ['POWER_CUT', '1970-01-03T00:00:00.000Z', true],
      ['POWER_CUT', '1970-01-06T00:00:00.000Z', true],
    ])
  })
})
