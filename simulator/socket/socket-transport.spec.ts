import { FakeServer } from '../../test/simulator/fake-server.js'
import { ManualClock } from '../../test/simulator/manual-clock.js'
import { Clock, SystemClock } from '../clock.js'
import type { Fix } from '../drives/drive.js'
import type { UnitLink } from '../unit/unit-transport.js'
import type { UnitIdentity } from './device-token.js'
import { ServerApi } from './server-api.js'
import { SocketTransport } from './socket-transport.js'

const IMEI = '009900000000002'
const NEVER = new AbortController().signal

let server: FakeServer
const links: UnitLink[] = []

beforeEach(async () => {
  server = await FakeServer.start()
})

afterEach(async () => {
  for (const link of links.splice(0)) link.close()
  await server.stop()
})

function transportTo(
  origin = server.origin,
  clock: Clock = new SystemClock(),
  identity: UnitIdentity = { deviceId: IMEI },
) {
  return new SocketTransport(new ServerApi(origin), identity, clock, () => 0.5)
}

async function linkBy(transport: SocketTransport): Promise<UnitLink> {
  const { link, refusal } = await transport.open(NEVER)
  if (link === undefined) throw new Error(`refused: ${refusal.code}`)
  links.push(link)
  return link
}

/** Waits for something that another process' turn of events brings about. */
async function until(isMet: () => boolean): Promise<void> {
  for (const untilMs = performance.now() + 15_000; !isMet(); ) {
    if (performance.now() > untilMs) throw new Error('it did not happen')
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

function fixAt(timeMs: number, more: Partial<Fix> = {}): Fix {
  const still = { altitudeM: null, speedKmh: null, headingDeg: null, satellites: null }
  return { timeMs, latitude: 48.1, longitude: 11.5, ...still, ...more }
}

describe('opening a link', () => {
  it('logs in with the IMEI and connects with the token', async () => {
    await linkBy(transportTo())
    expect(server.logins).toEqual([{ imei: IMEI }])
    expect(server.connections).toBe(1)
  })

  it('presents its secret', async () => {
    server.devices.set(IMEI, { secret: 'a-secret-of-twenty-characters' })
    await linkBy(
      transportTo(server.origin, new SystemClock(), { deviceId: IMEI, secret: 'a-secret-of-twenty-characters' }),
    )
    expect(server.logins).toEqual([{ imei: IMEI, secret: 'a-secret-of-twenty-characters' }])
  })

  it('keeps its token for the next link', async () => {
    const transport = transportTo()
    const first = await linkBy(transport)
    first.cut()
    await first.ended
    await linkBy(transport)
    expect(server.logins).toHaveLength(1)
    expect(server.connections).toBe(2)
  })

  it('logs in again at once when the token it kept is refused', async () => {
    const transport = transportTo()
    const first = await linkBy(transport)
    first.close()
    await first.ended
    server.refuseHandshake = (token) => (token === `${IMEI}:1` ? { code: 'token_invalid' } : undefined)
    await linkBy(transport)
    expect(server.logins).toHaveLength(2)
  })

  it('reports the refusal of a fresh token, and logs in anew the next time', async () => {
    server.refuseHandshake = () => ({ code: 'too_many_requests', retryAfterMs: 7000 })
    const transport = transportTo()
    expect(await transport.open(NEVER)).toEqual({
      refusal: { code: 'too_many_requests', message: 'too_many_requests', retryAfterMs: 7000 },
    })
    server.refuseHandshake = () => ({ code: 'login_refused' })
    expect((await transport.open(NEVER)).refusal?.code).toBe('login_refused')
    expect(server.logins).toHaveLength(2)
  })

  it.each([
    ['12', 12_000],
    [undefined, undefined],
  ])('reports a refused login with its Retry-After of %s', async (retryAfter, retryAfterMs) => {
    server.refuseRest = () => ({ status: 429, code: 'too_many_requests', retryAfter })
    expect(await transportTo().open(NEVER)).toEqual({
      refusal: { code: 'too_many_requests', message: 'too_many_requests!', retryAfterMs },
    })
  })

  it('reports a server that is not there', async () => {
    const { origin } = server
    await server.stop()
    const { refusal } = await transportTo(origin).open(NEVER)
    expect(refusal?.code).toBe('unreachable')
  })

  it('reports a server that leaves the handshake without an answer', async () => {
    server.isMute = true
    const clock = new ManualClock()
    const opening = transportTo(server.origin, clock).open(NEVER)
    await until(() => clock.nextInMs === 20_000)
    await clock.advance(20_000)
    expect((await opening).refusal).toMatchObject({ code: 'unreachable' })
  })

  it('reports a server that went away between login and handshake', async () => {
    server.refuseHandshake = () => {
      server.cutAll()
      return undefined
    }
    const { refusal } = await transportTo().open(NEVER)
    expect(refusal?.code).toBe('unreachable')
  })
})

describe('a link', () => {
  it('sends one record alone and several as an array, with what the fix knows', async () => {
    const link = await linkBy(transportTo())
    const timeMs = Date.UTC(2026, 0, 1, 12, 0, 0, 5)
    const full = fixAt(timeMs, { altitudeM: 519.5, speedKmh: 50.4, headingDeg: 90, satellites: 7 })
    expect(await link.send([full])).toEqual({ kind: 'settled', accepted: 1, duplicates: 0, rejected: [] })
    expect(await link.send([full, fixAt(timeMs + 1)])).toMatchObject({ accepted: 1, duplicates: 1 })
    const sent = {
      time: '2026-01-01T12:00:00.005Z',
      latitude: 48.1,
      longitude: 11.5,
      altitude: 519.5,
      speed: 50.4,
      heading: 90,
      satellites: 7,
    }
    expect(server.events.map(({ positions }) => positions)).toEqual([
      [sent],
      [sent, { time: '2026-01-01T12:00:00.006Z', latitude: 48.1, longitude: 11.5 }],
    ])
  })

  it('tells which records were refused', async () => {
    server.rejectedCode = ({ time }) => (time.endsWith('2Z') ? 'too_old' : undefined)
    const link = await linkBy(transportTo())
    const outcome = await link.send([fixAt(1), fixAt(2), fixAt(3)])
    expect(outcome).toEqual({
      kind: 'settled',
      accepted: 2,
      duplicates: 0,
      rejected: [{ index: 1, code: 'too_old' }],
    })
  })

  it('tells why a whole event was refused', async () => {
    server.judge = () => ({ answer: { error: { code: 'overloaded', message: 'later', retryAfterMs: 1500 } } })
    const link = await linkBy(transportTo())
    expect(await link.send([fixAt(1)])).toEqual({
      kind: 'refused',
      refusal: { code: 'overloaded', message: 'later', retryAfterMs: 1500 },
    })
  })

  it.each([
    ['nothing', undefined],
    ['a word', 'ok'],
    ['too few records', { accepted: 1, duplicates: 0, rejected: [] }],
  ])('does not believe an answer of %s', async (_, answer) => {
    server.judge = () => ({ answer })
    const link = await linkBy(transportTo())
    expect(await link.send([fixAt(1), fixAt(2)])).toMatchObject({ kind: 'refused', refusal: { code: 'bad_answer' } })
  })

  it('leaves what was under way unanswered when the server drops it', async () => {
    server.judge = () => 'silence'
    const link = await linkBy(transportTo())
    const sending = link.send([fixAt(1)])
    await until(() => server.events.length === 1)
    server.cutAll()
    expect(await sending).toEqual({ kind: 'unanswered' })
    expect(await link.ended).toEqual({})
    expect(await link.send([fixAt(2)])).toEqual({ kind: 'unanswered' })
  })

  it('loses what is under way when it is cut', async () => {
    server.judge = () => 'silence'
    const link = await linkBy(transportTo())
    const sending = link.send([fixAt(1)])
    await until(() => server.events.length === 1)
    link.cut()
    expect(await sending).toEqual({ kind: 'unanswered' })
  })

  it('hears why the server closes it', async () => {
    const link = await linkBy(transportTo())
    server.closeAll('replaced')
    expect(await link.ended).toEqual({ code: 'replaced', message: 'replaced' })
  })

  it.each(['device_disabled', 'token_expired'])('logs in anew after %s', async (code) => {
    const transport = transportTo()
    const link = await linkBy(transport)
    server.closeAll(code)
    await link.ended
    await linkBy(transport)
    expect(server.logins).toHaveLength(2)
  })
})

describe('the token of a link', () => {
  it('is renewed before it expires, again and again, on the same link', async () => {
    server.tokenLifeS = 1000
    const clock = new ManualClock()
    await linkBy(transportTo(server.origin, clock))
    await clock.advance(849_000)
    expect(server.renewals).toEqual([])
    await clock.advance(1000) // 85 per cent of its life
    await until(() => server.renewals.length === 1)
    await until(() => clock.nextInMs === 850_000) // the answer is back
    await clock.advance(850_000)
    await until(() => server.renewals.length === 2)
    expect(server.renewals).toEqual([`${IMEI}:2`, `${IMEI}:3`])
    expect(server.connections).toBe(1)
  })

  it('is not thought of any more when the link ends with the answer', async () => {
    server.tokenLifeS = 1000
    const clock = new ManualClock()
    const link = await linkBy(transportTo(server.origin, clock))
    server.refuseRenewal = () => {
      queueMicrotask(() => server.closeAll('shutting_down')) // leaves with the answer
      return undefined
    }
    await clock.advance(850_000)
    expect(await link.ended).toMatchObject({ code: 'shutting_down' })
    await until(() => clock.pending === 0)
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(server.renewals).toHaveLength(1)
    expect(clock.pending).toBe(0)
  })

  it('is asked for again when the renewal failed', async () => {
    server.tokenLifeS = 1000
    const clock = new ManualClock()
    await linkBy(transportTo(server.origin, clock))
    server.refuseRenewal = () => 'token_invalid'
    await clock.advance(850_000)
    await until(() => clock.nextInMs === 150_000 / 4)
    expect(server.renewals).toHaveLength(1)
    server.refuseRenewal = () => undefined
    await clock.advance(150_000 / 4)
    await until(() => server.renewals.length === 2)
    expect(server.renewals).toEqual([`${IMEI}:2`, `${IMEI}:3`])
  })

  it('is not offered again on a new link when it is due for renewal', async () => {
    server.tokenLifeS = 1000
    const clock = new ManualClock()
    const transport = transportTo(server.origin, clock)
    const link = await linkBy(transport)
    link.close()
    await link.ended
    await clock.advance(860_000)
    await linkBy(transport)
    expect(server.logins).toHaveLength(2)
    expect(server.renewals).toEqual([])
  })
})
