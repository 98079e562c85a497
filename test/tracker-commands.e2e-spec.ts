import { setTimeout as sleep } from 'node:timers/promises'
import type { Socket } from 'socket.io-client'
import { encodeHeadPacket, encodeTagPacket } from '../src/codecs/galileosky/encode-records.js'
import { GALILEOSKY } from '../src/codecs/galileosky/galileosky-codec.js'
import { encodeFixReport } from '../src/codecs/queclink/encode-report.js'
import { QUECLINK } from '../src/codecs/queclink/queclink-codec.js'
import { encodeUnitFrame } from '../src/codecs/ruptela/encode-records.js'
import { RUPTELA } from '../src/codecs/ruptela/ruptela-codec.js'
import { encodePacket } from '../src/codecs/teltonika/encode-command.js'
import { encodeLogin } from '../src/codecs/teltonika/encode-records.js'
import { TELTONIKA } from '../src/codecs/teltonika/teltonika-codec.js'
import type { TrackerCodec } from '../src/codecs/tracker-codec.js'
import { framesOf } from '../src/codecs/tracker-frames.contract.js'
import { Trackers } from '../src/ingress/tracker/trackers.js'
import { AppError } from '../src/model/app-error.js'
import { OVERLAP_MS } from '../src/sessions/sessions.js'
import { CommandRecords } from '../src/storage/sql/command-records.js'
import { DeviceRecords } from '../src/storage/sql/device-records.js'
import { type RunningApp, startApp } from './support/app.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { sentRecord } from './support/tracker-brand.js'
import { TrackerUnit } from './support/tracker-unit.js'
import { connectSocket } from './support/unit-socket.js'

interface Item {
  readonly id: string
  readonly status: string
  readonly result: unknown
  readonly message: string | null
  readonly history: ReadonlyArray<{ readonly status: string; readonly detail: string | null }>
  readonly code?: string
  readonly detail?: string
}

interface Fleet {
  readonly running: RunningApp
  readonly ports: Readonly<Record<string, number>>
}

const CODECS = [TELTONIKA, QUECLINK, RUPTELA, GALILEOSKY]
const T = Date.UTC(2026, 10, 22, 8)
const FIX = sentRecord(0, { timeMs: T })
/** Whoever has this long for it and does nothing, does nothing. */
const A_MOMENT_MS = 250

const hexOf = (brand: string, id: string) => framesOf(brand).find((frame) => frame.id === id)?.hex ?? ''
const latin = (text: string) => Buffer.from(text, 'latin1')

let fleet: Fleet
let imeis = 0
const units: TrackerUnit[] = []
const sockets: Socket[] = []

async function start(environment: Record<string, string> = {}): Promise<Fleet> {
  const running = await startApp({
    RETENTION_DAYS: '0',
    IMEI_CHECK: 'any',
    DEVICE_ENROLMENT: 'open',
    LOGIN_FAILURES_PER_MINUTE: '0',
    ...environment,
  })
  const trackers = running.app.get(Trackers)
  const ports: Record<string, number> = {}
  for (const codec of CODECS) ports[codec.protocol] = await trackers.listenFor(codec, 0)
  return { running, ports }
}

const newImei = () => `35630704244${String(1000 + imeis++)}`

async function connect({ protocol }: TrackerCodec): Promise<TrackerUnit> {
  const unit = await TrackerUnit.connect(fleet.ports[protocol] ?? 0)
  units.push(unit)
  return unit
}

/** Says who it is, and is answered. */
async function identify(codec: TrackerCodec, imei: string): Promise<TrackerUnit> {
  const unit = await connect(codec)
  if (codec === TELTONIKA) {
    unit.send(encodeLogin(imei))
    expect(await unit.answer(1)).toBe('01')
  } else if (codec === QUECLINK) {
    unit.send(latin(`+ACK:GTHBD,1A0102,${imei},,20100214093254,11F0$`))
    expect(Buffer.from(await unit.answer(24), 'hex').toString()).toBe('+SACK:GTHBD,1A0102,11F0$')
  } else if (codec === RUPTELA) {
    const [sample] = framesOf('ruptela').filter(({ id }) => id === 'rup-ident-0f-es04')
    unit.send(encodeUnitFrame(imei, 0x0f, Buffer.from(sample?.hex ?? '', 'hex').subarray(11, -2)))
    expect(await unit.answer(6)).toBe('00027301cb25')
  } else {
    const head = encodeHeadPacket(imei)
    unit.send(head)
    expect(await unit.answer(3)).toBe(`02${head.subarray(-2).toString('hex')}`)
  }
  return unit
}

/** Is there, and has brought what it had: it may be given commands. */
async function join(codec: TrackerCodec, imei = newImei()): Promise<{ unit: TrackerUnit; imei: string }> {
  const unit = await identify(codec, imei)
  if (codec === TELTONIKA) {
    unit.send(hexOf('teltonika', 'tel-c8-tcp-wiki-1'))
    expect(await unit.answer(4)).toBe('00000001')
  } else if (codec === QUECLINK) unit.send(encodeFixReport(imei, [FIX], 0x11f1))
  else if (codec === RUPTELA) {
    const sample = Buffer.from(hexOf('ruptela', 'rup-01-1rec-dubai'), 'hex')
    unit.send(encodeUnitFrame(imei, 0x01, sample.subarray(11, -2)))
    expect(await unit.answer(6)).toBe('0002640113bc')
  } else {
    const packet = encodeTagPacket(
      Buffer.concat([latin('\x20\x00\x00\x00\x60'), Buffer.from('3009', 'hex'), Buffer.alloc(8)]),
    )
    unit.send(packet)
    expect(await unit.answer(3)).toBe(`02${packet.subarray(-2).toString('hex')}`)
  }
  return { unit, imei }
}

async function post(imei: string, body: Record<string, unknown>): Promise<{ status: number; body: Item }> {
  return fleet.running.api.post<Item>(`/api/v1/devices/${imei}/commands`, body, fleet.running.admin)
}

/** @returns the id of the stored command */
async function send(imei: string, type: string, params?: Record<string, unknown>): Promise<string> {
  const { status, body } = await post(imei, { type, params })
  expect([status, body.code]).toEqual([202, undefined])
  return body.id
}

const custom = (imei: string, text: string) => send(imei, 'CUSTOM', { text })

async function get(id: string): Promise<Item> {
  return (await fleet.running.api.get<Item>(`/api/v1/commands/${id}`, fleet.running.admin)).body
}

const cancel = (id: string) =>
  fleet.running.api.request('DELETE', `/api/v1/commands/${id}`, { token: fleet.running.admin })

const stepsOf = ({ history }: Item) => history.map(({ status, detail }) => detail ?? status)

async function until<T>(look: () => Promise<T>, isRight: (found: T) => boolean): Promise<T> {
  for (let tries = 0; ; tries++) {
    const found = await look()
    if (isRight(found)) return found
    if (tries > 400) throw new Error(`still ${JSON.stringify(found)}`)
    await sleep(20)
  }
}

const untilIs = (id: string, status: string) =>
  until(
    () => get(id),
    (item) => item.status === status,
  )

async function deviceOf(imei: string) {
  return (await fleet.running.api.get(`/api/v1/devices/${imei}`, fleet.running.admin)).body
}

const patch = (imei: string, body: unknown) =>
  fleet.running.api.request('PATCH', `/api/v1/devices/${imei}`, { token: fleet.running.admin, body })

/** That nothing more came, and nothing comes. */
async function expectSilence(...silent: readonly TrackerUnit[]): Promise<void> {
  await sleep(A_MOMENT_MS)
  expect(silent.map(({ received }) => received)).toEqual(silent.map(() => ''))
}

/** A response of Codec 12. */
const response = (text: string) => {
  const data = Buffer.concat([Buffer.from('0c0106', 'hex'), Buffer.alloc(4), latin(text), Buffer.of(1)])
  data.writeUInt32BE(text.length, 3)
  return encodePacket(data)
}

/** A command of Codec 12. */
const teltonikaBytes = (text: string) => {
  const data = Buffer.concat([Buffer.from('0c0105', 'hex'), Buffer.alloc(4), latin(text), Buffer.of(1)])
  data.writeUInt32BE(text.length, 3)
  return encodePacket(data).toString('hex')
}

beforeAll(async () => {
  fleet = await start()
})
afterEach(() => {
  for (const unit of units.splice(0)) unit.close()
  for (const socket of sockets.splice(0)) socket.close()
})
afterAll(async () => {
  await fleet.running.close()
  await removeTemporaryDirectories()
})

describe.each(CODECS.map((codec) => [codec.protocol, codec] as const))('the registry and trackers: %s', (_, codec) => {
  const MODELS: Readonly<Record<string, string>> = { queclink: 'GL300', ruptela: 'Es04' }

  it('shows brand, model, protocol and transport after the first words', async () => {
    const imei = newImei()
    await identify(codec, imei)
    const { protocol, brand } = codec
    const device = await until(
      () => deviceOf(imei),
      (one) => one.protocol !== null,
    )
    expect(device).toMatchObject({
      protocol,
      brand,
      model: MODELS[protocol] ?? null,
      transport: 'tcp',
      online: true,
      authenticated: false,
    })
    const { body } = await fleet.running.api.get<{ items: Array<{ deviceId: string }> }>(
      `/api/v1/devices?text=${imei}%20${brand}`,
      fleet.running.admin,
    )
    expect(body.items.map(({ deviceId }) => deviceId)).toEqual([imei])
  })

  it('leaves what an admin has set, and writes nothing into the audit log', async () => {
    const imei = newImei()
    await fleet.running.api.post('/api/v1/devices', { deviceId: imei, brand: 'Acme', model: 'X1' }, fleet.running.admin)
    await join(codec, imei)
    const device = await until(
      () => deviceOf(imei),
      (one) => one.protocol !== null,
    )
    expect(device).toMatchObject({ protocol: codec.protocol, brand: 'Acme', model: 'X1' })
    await patch(imei, { brand: 'Other' })
    await join(codec, imei)
    await sleep(A_MOMENT_MS)
    expect(await deviceOf(imei)).toMatchObject({ protocol: codec.protocol, brand: 'Other', model: 'X1' })
    const { body } = await fleet.running.api.get<{ items: Array<{ target: string; by: string; action: string }> }>(
      '/api/v1/audit?limit=500',
      fleet.running.admin,
    )
    const ours = body.items.filter(({ target }) => target === imei)
    expect(ours.map(({ by, action }) => `${by} ${action}`)).toEqual(['admin device.update', 'admin device.create'])
  })

  it('refuses what the protocol has nothing for, and stores nothing of it', async () => {
    const { imei } = await join(codec)
    await until(
      () => deviceOf(imei),
      (one) => one.protocol !== null,
    )
    const { status, body } = await post(imei, {
      type: 'REQUEST_VIDEO',
      params: { from: '2026-11-22T08:00:00Z', to: '2026-11-22T08:01:00Z' },
    })
    expect([status, body.code, body.detail]).toEqual([
      422,
      'unsupported_command',
      `${codec.brand} trackers have no command for it`,
    ])
    const list = await fleet.running.api.get<{ items: Item[] }>(`/api/v1/devices/${imei}/commands`, fleet.running.admin)
    expect(list.body.items).toEqual([])
  })

  it('fails such a command on the link where the protocol was not known when it was sent', async () => {
    const imei = newImei()
    await fleet.running.api.post('/api/v1/devices', { deviceId: imei }, fleet.running.admin)
    const id = await send(imei, 'REQUEST_VIDEO', { from: '2026-11-22T08:00:00Z', to: '2026-11-22T08:01:00Z' })
    const { unit } = await join(codec, imei)
    const { message } = await untilIs(id, 'failed')
    expect(message).toBe(`unsupported_command: ${codec.brand} trackers have no command for it`)
    await expectSilence(unit)
  })

  it('gives no command to a unit that has only logged in, and then gives it', async () => {
    const imei = newImei()
    await fleet.running.api.post('/api/v1/devices', { deviceId: imei }, fleet.running.admin)
    const id = await send(imei, 'CUSTOM', { text: codec === QUECLINK ? 'AT+GTRTO=gl300,2,,,,,,000F$' : 'status' })
    const unit = await identify(codec, imei)
    await expectSilence(unit)
    expect((await get(id)).status).toBe('queued')
    await untilIs(id, 'sent')
    expect((await unit.answer(10)).length).toBe(20)
  })
})

describe('commands to Teltonika trackers', () => {
  it.each([
    ['RESET', undefined, 'cpureset'],
    ['REBOOT', undefined, 'cpureset'],
    ['SET_INTERVAL', { seconds: 30 }, 'setparam 10050:30;10150:30;10250:30'],
    ['SET_SERVER', { host: 'fleet.example.com', port: 5027 }, 'setparam 2004:fleet.example.com;2005:5027;2006:0'],
    ['CUSTOM', { text: 'getinfo' }, 'getinfo'],
  ])('%s goes to the right one of several sockets, and its answer ends it', async (type, params, text) => {
    const [a, b, c] = [await join(TELTONIKA), await join(TELTONIKA), await join(TELTONIKA)]
    const id = await send(b.imei, type, params)
    const bytes = teltonikaBytes(text)
    expect(await b.unit.answer(bytes.length / 2)).toBe(bytes)
    b.unit.send(response(`${text} OK`))
    const item = await untilIs(id, 'done')
    expect([item.message, stepsOf(item)]).toEqual([`${text} OK`, ['queued', 'sent', 'done']])
    await expectSilence(a.unit, b.unit, c.unit)
  })

  it('wait for the answer to the one before, or its time, also when that was cancelled', async () => {
    const { unit, imei } = await join(TELTONIKA)
    const first = await custom(imei, 'one')
    await unit.answer(23)
    await cancel(first)
    const second = await custom(imei, 'two')
    await expectSilence(unit)
    expect((await get(second)).status).toBe('queued')
    unit.send(response('1'))
    expect(await unit.answer(23)).toBe(teltonikaBytes('two'))
    unit.send(response('2'))
    expect((await untilIs(second, 'done')).message).toBe('2')
    expect(stepsOf(await get(first))).toEqual(['queued', 'sent', 'cancelled', 'late_done'])
  })

  it('are the vendor’s frames, with the vendor’s answers', async () => {
    const { unit, imei } = await join(TELTONIKA)
    for (const [command, answer] of [
      ['tel-c12-getinfo-wiki', 'tel-c12-getinfo-reply-wiki'],
      ['tel-c12-getio-wiki', 'tel-c12-getio-reply-wiki'],
    ] as const) {
      const frames = framesOf('teltonika')
      const { payloadText } = frames.find(({ id }) => id === command)?.expect.command ?? {}
      const reply = frames.find(({ id }) => id === answer)?.expect.command ?? {}
      const id = await custom(imei, String(payloadText))
      expect(await unit.answer(hexOf('teltonika', command).length / 2)).toBe(hexOf('teltonika', command))
      unit.send(hexOf('teltonika', answer))
      expect((await untilIs(id, 'done')).message).toBe(reply.payloadText)
    }
    await expectSilence(unit)
  })

  it('go one after the other, each with the next answer, also when it comes in pieces among records', async () => {
    const { unit, imei } = await join(TELTONIKA)
    const [first, second] = [await custom(imei, 'one'), await custom(imei, 'two')]
    expect(await unit.answer(23)).toBe(teltonikaBytes('one'))
    await expectSilence(unit)
    const answer = response('1')
    unit.send(hexOf('teltonika', 'tel-c8-tcp-wiki-1'), answer.subarray(0, 11))
    expect(await unit.answer(4)).toBe('00000001')
    unit.send(answer.subarray(11), hexOf('teltonika', 'tel-c8-tcp-wiki-1'))
    const [ack, order] = ['00000001', teltonikaBytes('two')]
    expect([ack + order, order + ack]).toContain(await unit.answer(4 + 23))
    unit.send(response('2'))
    expect([(await untilIs(first, 'done')).message, (await untilIs(second, 'done')).message]).toEqual(['1', '2'])
  })

  it('are refused or answered by Codec 14, and not by what Codec 13 and 15 say', async () => {
    const { unit, imei } = await join(TELTONIKA, '352093081452251')
    const refused = await custom(imei, 'getver')
    await unit.answer(26)
    unit.send(hexOf('teltonika', 'tel-c13-wiki'))
    await expectSilence(unit)
    expect((await get(refused)).status).toBe('sent')
    unit.send(hexOf('teltonika', 'tel-c14-nack-wiki'))
    expect((await untilIs(refused, 'failed')).message).toBe('the unit has another IMEI')
    const taken = await custom(imei, 'getver')
    await unit.answer(26)
    unit.send(hexOf('teltonika', 'tel-c14-getver-ack-wiki'))
    expect((await untilIs(taken, 'done')).message).toMatch(/^Ver:03\.18\.14_04 GPS:AXN/)
  })

  it('are not waited for by an answer that nobody asked for; quantities in it mean nothing', async () => {
    const { unit, imei } = await join(TELTONIKA)
    const counted = async () => {
      const { text } = await fleet.running.api.get('/metrics')
      return Number(/^milepost_tracker_replies_unasked_total\{protocol="teltonika"\} (\d+)$/m.exec(text)?.[1] ?? 0)
    }
    const before = await counted()
    unit.send(response('nobody asked'))
    await until(counted, (count) => count === before + 1)
    const id = await custom(imei, 'one')
    await unit.answer(23)
    const data = Buffer.concat([Buffer.from('0c02060000000278', 'hex'), latin('y'), Buffer.of(7)])
    unit.send(encodePacket(data))
    expect((await untilIs(id, 'done')).message).toBe('xy')
    await expectSilence(unit)
  })

  it('take no second answer, and none of another unit, whose connection ends', async () => {
    const { unit, imei } = await join(TELTONIKA)
    const id = await custom(imei, 'one')
    await unit.answer(23)
    unit.send(response('first'), response('second'))
    expect((await untilIs(id, 'done')).message).toBe('first')
    const next = await custom(imei, 'two')
    await unit.answer(23)
    unit.send(hexOf('teltonika', 'tel-c14-getver-ack-wiki'))
    await unit.ended()
    expect((await untilIs(next, 'failed')).message).toBe('no_reply')
    const item = await get(id)
    expect([item.message, stepsOf(item)]).toEqual(['first', ['queued', 'sent', 'done']])
  })

  it('fail when the answer cannot be read, and we end the connection', async () => {
    const { unit, imei } = await join(TELTONIKA)
    const id = await send(imei, 'RESET')
    await unit.answer(28)
    const answer = response('x')
    const broken = encodePacket(Buffer.concat([Buffer.from('0c01067fffffff', 'hex'), Buffer.from('7801', 'hex')]))
    expect(broken.length).toBe(answer.length)
    unit.send(broken)
    await unit.ended()
    await join(TELTONIKA, imei)
    const item = await untilIs(id, 'failed')
    expect([item.message, stepsOf(item)]).toEqual(['no_reply', ['queued', 'sent', 'no_reply']])
  })

  it('keep all of a long answer', async () => {
    const { unit, imei } = await join(TELTONIKA)
    const id = await custom(imei, 'getparam all')
    await unit.answer(32)
    const text = 'Param ID:2004 Value:fleet.example.com;'.repeat(40)
    unit.send(response(text))
    const { message, result } = await untilIs(id, 'done')
    expect([message, result]).toEqual([text.slice(0, 1000), text])
  })

  it.each(['RESET', 'REBOOT'])('%s is done when the unit ends its link and comes back', async (type) => {
    const { unit, imei } = await join(TELTONIKA)
    const id = await send(imei, type)
    await unit.answer(28)
    unit.close()
    await until(
      () => get(id),
      (item) => stepsOf(item).includes('link_ended'),
    )
    const { unit: again } = await join(TELTONIKA, imei)
    const item = await untilIs(id, 'done')
    expect([item.message, stepsOf(item)]).toEqual([
      'link_restarted',
      ['queued', 'sent', 'link_ended', 'link_restarted'],
    ])
    await expectSilence(again)
  })

  it('are failed when we end the link', async () => {
    const { unit, imei } = await join(TELTONIKA)
    const id = await send(imei, 'RESET')
    await unit.answer(28)
    await patch(imei, { status: 'disabled' })
    await unit.ended()
    expect((await untilIs(id, 'failed')).message).toBe('no_reply')
  })

  it('are not sent again to a unit that closed before it answered', async () => {
    const { unit, imei } = await join(TELTONIKA)
    const id = await custom(imei, 'getinfo')
    await unit.answer(27)
    unit.close()
    const { unit: again } = await join(TELTONIKA, imei)
    await expectSilence(again)
    expect((await get(id)).status).toBe('sent')
    again.send(response('before I left'), response('nobody asked for this'))
    expect((await untilIs(id, 'done')).message).toBe('before I left')
    await expectSilence(again)
  })

  it('go to the newest link, and to the older one when that has ended', async () => {
    const { unit: older, imei } = await join(TELTONIKA)
    const { unit: newer } = await join(TELTONIKA, imei)
    const first = await custom(imei, 'one')
    expect(await newer.answer(23)).toBe(teltonikaBytes('one'))
    older.send(response('not mine'))
    newer.send(response('1'))
    expect((await untilIs(first, 'done')).message).toBe('1')
    await expectSilence(older)
    newer.close()
    await sleep(A_MOMENT_MS)
    const second = await custom(imei, 'two')
    expect(await older.answer(23)).toBe(teltonikaBytes('two'))
    older.send(response('2'))
    expect((await untilIs(second, 'done')).message).toBe('2')
  })
})

describe('commands to Queclink trackers', () => {
  const ack = (imei: string, serial: string, { prefix = 'ACK', name = 'GTRTO', details = '' } = {}) =>
    latin(`+${prefix}:${name},1A0102,${imei},,${details}${serial},20261122080000,11F2$`)

  /** @returns what it was told, and the number of that */
  async function told(unit: TrackerUnit): Promise<{ text: string; serial: string }> {
    const text = Buffer.from(await unit.answer(27), 'hex').toString('latin1')
    return { text, serial: text.slice(-5, -1) }
  }

  it.each(['RESET', 'REBOOT'])(
    '%s goes out by the model’s password, and ends with the number’s answer',
    async (type) => {
      const [{ imei, unit }, other] = [await join(QUECLINK), await join(QUECLINK)]
      await until(
        () => deviceOf(imei),
        (one) => one.model === 'GL300',
      )
      const id = await send(imei, type)
      const { text, serial } = await told(unit)
      expect(text).toMatch(/^AT\+GTRTO=gl300,3,,,,,,[0-9A-F]{4}\$$/)
      unit.send(ack(imei, serial === '0001' ? '0002' : '0001'))
      unit.send(encodeFixReport(imei, [{ ...FIX, timeMs: T + 60_000 }], 0x11f5))
      await expectSilence(unit, other.unit)
      expect((await get(id)).status).toBe('sent')
      unit.send(ack(imei, serial, { details: 'REBOOT,' }))
      expect((await untilIs(id, 'done')).message).toBe('REBOOT')
    },
  )

  it('need a password where neither it nor the model is known, and take a new one at once', async () => {
    const imei = newImei()
    const unit = await connect(QUECLINK)
    unit.send(latin(`+ACK:GTHBD,,${imei},,20100214093254,11F0$`))
    await unit.answer(18)
    await until(
      () => deviceOf(imei),
      (one) => one.protocol === 'queclink',
    )
    const { status, body } = await post(imei, { type: 'RESET' })
    expect([status, body.code, body.detail]).toEqual([
      422,
      'unsupported_command',
      'the commandPassword of the device must be set: 1 to 20 characters without comma and $',
    ])
    await patch(imei, { commandPassword: 'Sesam' })
    const id = await send(imei, 'RESET')
    const { text, serial } = await told(unit)
    expect(text).toBe(`AT+GTRTO=Sesam,3,,,,,,${serial}$`)
    unit.send(ack(imei, serial, { prefix: 'NACK', details: '0,' }))
    expect((await untilIs(id, 'failed')).message).toBe('0')
  })

  it('are the user’s own, with the user’s number or one of the server', async () => {
    const { unit, imei } = await join(QUECLINK)
    for (const sample of ['que-cmd-rto-cfg-vendor', 'que-cmd-pin-vendor']) {
      const hex = hexOf('queclink', sample)
      const text = Buffer.from(hex, 'hex').toString('latin1')
      const id = await custom(imei, text)
      expect(await unit.answer(hex.length / 2)).toBe(hex)
      unit.send(ack(imei, text.slice(-5, -1), { name: text.slice(3, 8) }))
      expect((await untilIs(id, 'done')).message).toBeNull()
    }
    await custom(imei, 'AT+GTRTO=gl300,1,,,,,,$')
    expect((await told(unit)).text).toMatch(/^AT\+GTRTO=gl300,1,,,,,,[0-9A-F]{4}\$$/)
  })

  it('are not ended by the answer to another one to which the user gave the same number', async () => {
    const { unit, imei } = await join(QUECLINK)
    const first = await custom(imei, 'AT+GTQSS=gl300,,,,,FFFF$')
    await unit.answer(24)
    await cancel(first)
    const second = await custom(imei, 'AT+GTRTO=gl300,2,,,,,,FFFF$')
    await unit.answer(27)
    unit.send(ack(imei, 'FFFF', { name: 'GTQSS' }))
    await until(
      () => get(first),
      (one) => stepsOf(one).includes('late_done'),
    )
    expect((await get(second)).status).toBe('sent')
    unit.send(ack(imei, 'FFFF'))
    expect(stepsOf(await untilIs(second, 'done'))).toEqual(['queued', 'sent', 'done'])
  })

  it('set neither intervals nor servers', async () => {
    const { imei } = await join(QUECLINK)
    await until(
      () => deviceOf(imei),
      (one) => one.protocol === 'queclink',
    )
    for (const body of [
      { type: 'SET_INTERVAL', params: { seconds: 30 } },
      { type: 'SET_SERVER', params: { host: 'fleet.example.com', port: 5004 } },
    ])
      expect((await post(imei, body)).body.code).toBe('unsupported_command')
  })

  it('are answered by a position first, as GTRTL is', async () => {
    const { unit, imei } = await join(QUECLINK)
    const id = await custom(imei, 'AT+GTRTO=gl300,1,,,,,,00AB$')
    await unit.answer(27)
    const report = encodeFixReport(imei, [{ ...FIX, timeMs: T + 1000 }], 0x11f6).toString('latin1')
    unit.send(latin(report.replace('GTFRI', 'GTRTL')))
    await sleep(A_MOMENT_MS)
    expect((await get(id)).status).toBe('sent')
    unit.send(ack(imei, '00AB', { details: 'RTL,' }))
    expect((await untilIs(id, 'done')).message).toBe('RTL')
  })

  it('are answered on a later connection', async () => {
    const { unit, imei } = await join(QUECLINK)
    const id = await custom(imei, 'AT+GTRTO=gl300,2,,,,,,00AC$')
    await unit.answer(27)
    unit.close()
    const { unit: again } = await join(QUECLINK, imei)
    await expectSilence(again)
    again.send(ack(imei, '00AC'))
    expect(stepsOf(await untilIs(id, 'done'))).toEqual(['queued', 'sent', 'done'])
  })

  it('are noted when they are answered after their end', async () => {
    const { unit, imei } = await join(QUECLINK)
    const id = await custom(imei, 'AT+GTRTO=gl300,2,,,,,,00AD$')
    await unit.answer(27)
    await cancel(id)
    unit.send(ack(imei, '00AD'))
    const item = await until(
      () => get(id),
      (one) => stepsOf(one).includes('late_done'),
    )
    expect([item.status, stepsOf(item)]).toEqual(['cancelled', ['queued', 'sent', 'cancelled', 'late_done']])
  })
})

describe('commands to Ruptela trackers', () => {
  const answer = (imei: string, text: string) => encodeUnitFrame(imei, 0x07, latin(text))

  it.each([
    ['RESET', undefined, '00076c2072657365742545'],
    ['REBOOT', undefined, '00076c2072657365742545'],
    ['CUSTOM', { text: '1234 getio' }, hexOf('ruptela', 'rup-cmd-6c-getio')],
  ])('%s goes to the right one of several sockets, and its answer ends it', async (type, params, hex) => {
    const [a, b] = [await join(RUPTELA), await join(RUPTELA)]
    const id = await send(b.imei, type, params)
    expect(await b.unit.answer(hex.length / 2)).toBe(hex)
    b.unit.send(encodeUnitFrame(b.imei, 0x11, Buffer.of(0)))
    await expectSilence(a.unit, b.unit)
    expect((await get(id)).status).toBe('sent')
    b.unit.send(answer(b.imei, 'Resetting device\r\n'))
    expect((await untilIs(id, 'done')).message).toBe('Resetting device')
    await expectSilence(a.unit, b.unit)
  })

  it('set the server, and are done when that is written', async () => {
    const { unit, imei } = await join(RUPTELA)
    const id = await send(imei, 'SET_SERVER', { host: 'fleet.example.com', port: 5046 })
    const text = latin('fleet.example.com,5046,TCP').toString('hex')
    expect(await unit.answer(31)).toBe(`001b69${text}6cd9`)
    const item = await untilIs(id, 'done')
    expect([item.message, stepsOf(item)]).toEqual([null, ['queued', 'sent', 'done']])
  })

  it('begin with the password of the device as it is now', async () => {
    const { unit, imei } = await join(RUPTELA)
    await patch(imei, { commandPassword: '1234' })
    await send(imei, 'RESET')
    expect(await unit.answer(15)).toBe('000b6c31323334207265736574e2d9')
  })

  it('set no intervals', async () => {
    const { imei } = await join(RUPTELA)
    await until(
      () => deviceOf(imei),
      (one) => one.protocol === 'ruptela',
    )
    expect((await post(imei, { type: 'SET_INTERVAL', params: { seconds: 30 } })).body).toMatchObject({
      code: 'unsupported_command',
      detail: 'Ruptela trackers have no command for it',
    })
  })
})

describe('commands to Galileosky trackers', () => {
  interface Told {
    readonly hex: string
    readonly number: number
    readonly text: string
  }

  async function told(unit: TrackerUnit, imei: string): Promise<Told> {
    const head = await unit.answer(3)
    const length = Buffer.from(head, 'hex').readUInt16LE(1) & 0x7fff
    const hex = head + (await unit.answer(length + 2))
    const bytes = Buffer.from(hex, 'hex')
    // IMEI, device number 0, the command's number, its text.
    expect(bytes.subarray(3, 23).toString('latin1')).toBe(`\x03${imei}\x04\x00\x00\xe0`)
    expect(bytes[27]).toBe(0xe1)
    return { hex, number: bytes.readUInt32LE(23), text: bytes.subarray(29, -2).toString('latin1') }
  }

  function answer(imei: string, number: number, text: string): Buffer {
    const tags = Buffer.concat([
      latin(`\x03${imei}\x04\x32\x00\xe0`),
      Buffer.alloc(4),
      Buffer.of(0xe1, text.length),
      latin(text),
    ])
    tags.writeUInt32LE(number, 20)
    return encodeTagPacket(tags)
  }

  const confirmed = (packet: Buffer) => `02${packet.subarray(-2).toString('hex')}`

  it.each([
    ['RESET', undefined, 'reset'],
    ['REBOOT', undefined, 'reset'],
    ['SET_INTERVAL', { seconds: 30 }, 'wrperiod 30,30'],
    ['SET_SERVER', { host: 'fleet.example.com', port: 5034 }, 'serverip fleet.example.com,5034'],
    ['CUSTOM', { text: 'Out 1,1' }, 'Out 1,1'],
  ])(
    '%s goes to the right one of several sockets, and the answer of its number ends it',
    async (type, params, text) => {
      const [a, b] = [await join(GALILEOSKY), await join(GALILEOSKY)]
      const id = await send(b.imei, type, params)
      const order = await told(b.unit, b.imei)
      expect(order.text).toBe(text)
      const wrong = answer(b.imei, (order.number + 1) % 0x10000, 'not this one')
      b.unit.send(wrong)
      expect(await b.unit.answer(3)).toBe(confirmed(wrong))
      expect((await get(id)).status).toBe('sent')
      const right = answer(b.imei, order.number, `${text} OK`)
      b.unit.send(right)
      expect(await b.unit.answer(3)).toBe(confirmed(right))
      expect((await untilIs(id, 'done')).message).toBe(`${text} OK`)
      await expectSilence(a.unit, b.unit)
    },
  )

  it('are confirmed once their result is on disk, and not before', async () => {
    const { unit, imei } = await join(GALILEOSKY)
    const id = await custom(imei, 'status')
    const { number } = await told(unit, imei)
    const replace = jest.spyOn(fleet.running.app.get(CommandRecords), 'replace')
    replace.mockRejectedValue(new AppError('store_unavailable'))
    const packet = answer(imei, number, 'ok')
    unit.send(packet)
    await expectSilence(unit)
    replace.mockRestore()
    expect(await unit.answer(3)).toBe(confirmed(packet))
    const item = await get(id)
    expect([item.message, stepsOf(item)]).toEqual(['ok', ['queued', 'sent', 'done']])
  })

  it('are not ended by what another device answers', async () => {
    const { unit, imei } = await join(GALILEOSKY)
    const id = await custom(imei, 'status')
    const { number } = await told(unit, imei)
    unit.send(answer(newImei(), number, 'not mine'))
    expect(await unit.ended()).toBe('')
    expect((await untilIs(id, 'failed')).message).toBe('no_reply')
  })

  it('have at most 255 characters, and are refused before anything is sent', async () => {
    const { unit, imei } = await join(GALILEOSKY)
    await until(
      () => deviceOf(imei),
      (one) => one.protocol === 'galileosky',
    )
    const { status, body } = await post(imei, { type: 'CUSTOM', params: { text: 'x'.repeat(256) } })
    expect([status, body.detail]).toEqual([422, 'a text has at most 255 characters'])
    await expectSilence(unit)
    await custom(imei, 'x'.repeat(255))
    expect((await told(unit, imei)).text).toBe('x'.repeat(255))
  })
})

describe('what an admin changes of a tracker', () => {
  it('holds on the connection that is there', async () => {
    const { unit, imei } = await join(QUECLINK)
    await expectSilence(unit)
    await patch(imei, { trackerSack: true })
    unit.send(encodeFixReport(imei, [{ ...FIX, timeMs: T + 1000 }], 0x11f2))
    expect(Buffer.from(await unit.answer(11), 'hex').toString()).toBe('+SACK:11F2$')
    await patch(imei, { trackerSack: false })
    unit.send(encodeFixReport(imei, [{ ...FIX, timeMs: T + 2000 }], 0x11f3))
    await expectSilence(unit)
  })
})

describe('a fleet that comes back', () => {
  it('costs no write of what is known of it', async () => {
    const fleetImeis = Array.from({ length: 40 }, newImei)
    const connectAll = async () => {
      const there = await Promise.all(fleetImeis.map((imei) => join(RUPTELA, imei)))
      for (const { unit } of there) unit.close()
    }
    await connectAll()
    await until(
      async () => Promise.all(fleetImeis.map(deviceOf)),
      (devices) => devices.every(({ model }) => model === 'Es04'),
    )
    const records = fleet.running.app.get(DeviceRecords)
    const spies = [jest.spyOn(records, 'learn'), jest.spyOn(records, 'update'), jest.spyOn(records, 'find')]
    await connectAll()
    await sleep(A_MOMENT_MS)
    expect(spies.map((spy) => spy.mock.calls.length)).toEqual([0, 0, 0])
    jest.restoreAllMocks()
  })
})

describe('two units with one IMEI', () => {
  it('are both taken, and shown as contested once both have gone on for two minutes', async () => {
    const [before, realNow] = [fleet, Date.now]
    let aheadMs = 0
    Date.now = () => realNow() + aheadMs
    fleet = await start()
    try {
      const { unit: older, imei } = await join(TELTONIKA)
      const { unit: newer } = await join(TELTONIKA, imei)
      const sayAll = async () => {
        for (const unit of [older, newer, older, newer]) {
          unit.send(hexOf('teltonika', 'tel-c8-tcp-wiki-1'))
          expect(await unit.answer(4)).toBe('00000001')
        }
      }
      const counted = async () =>
        /^milepost_devices_contested_total (\d+)$/m.exec((await fleet.running.api.get('/metrics')).text)?.[1]
      await sayAll()
      expect([(await deviceOf(imei)).contested, await counted()]).toEqual([false, '0'])
      aheadMs = OVERLAP_MS
      await sayAll()
      expect([(await deviceOf(imei)).contested, await counted()]).toEqual([true, '1'])
    } finally {
      await fleet.running.close()
      Date.now = realNow
      fleet = before
    }
  })
})

describe('commands and other ways in', () => {
  it('ask nothing of trackers for a device that speaks JSON now', async () => {
    const { unit, imei } = await join(TELTONIKA)
    await until(
      () => deviceOf(imei),
      (one) => one.protocol === 'teltonika',
    )
    unit.close()
    const token = await fleet.running.api.loginDevice(imei)
    sockets.push(await connectSocket(fleet.running.url, { token }))
    const device = await until(
      () => deviceOf(imei),
      (one) => one.protocol === null,
    )
    expect(device).toMatchObject({ brand: 'Teltonika', transport: 'socket' })
    await send(imei, 'REQUEST_VIDEO', { from: '2026-11-22T08:00:00Z', to: '2026-11-22T08:01:00Z' })
  })
})

describe('commands to trackers and restarts of the server', () => {
  it('never go out twice', async () => {
    const DATA_DIR = temporaryDirectory()
    const before = fleet
    fleet = await start({ DATA_DIR })
    try {
      const { unit, imei } = await join(TELTONIKA)
      const sent = await send(imei, 'RESET')
      await unit.answer(28)
      const queued = await custom(imei, 'getinfo')
      await fleet.running.close()
      fleet = await start({ DATA_DIR })
      const { unit: again } = await join(TELTONIKA, imei)
      expect(await again.answer(27)).toBe(hexOf('teltonika', 'tel-c12-getinfo-wiki'))
      again.send(response('ok'))
      expect((await untilIs(queued, 'done')).message).toBe('ok')
      expect((await get(sent)).message).toBe('no_reply')
      await expectSilence(again)
    } finally {
      await fleet.running.close()
      fleet = before
    }
  })
})
