import { createSocket, type RemoteInfo } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { TELTONIKA } from '../../src/codecs/teltonika/teltonika-codec.js'
import { SystemClock } from '../clock.js'
import type { Fix } from '../drives/drive.js'
import { TrackerTransport } from './tracker-transport.js'

const IMEI = '356307042441013'
const LET_IN = '01'

let server: Server
const sockets: Socket[] = []
const received: Buffer[] = []
/** What each piece from the unit is answered with, in hexadecimal. */
let answers: string[]

const fix = (second: number): Fix => ({
  timeMs: Date.UTC(2026, 4, 22) + second * 1000,
  latitude: 48,
  longitude: 11,
  altitudeM: null,
  speedKmh: null,
  headingDeg: null,
  satellites: null,
})

beforeEach(async () => {
  received.length = 0
  answers = [LET_IN]
  server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      received.push(bytes)
      const answer = answers.shift()
      if (answer !== undefined) socket.write(Buffer.from(answer, 'hex'))
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
})

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  server.close()
})

const portOf = () => (server.address() as AddressInfo).port
const transportTo = (port: number, protocol: 'teltonika' | 'queclink' = 'teltonika') =>
  new TrackerTransport(
    'http://127.0.0.1:3000',
    IMEI,
    { protocol, transport: 'tcp', port, sack: true },
    new SystemClock(),
  )

async function openLink() {
  const { link, refusal } = await transportTo(portOf()).open(new AbortController().signal)
  if (link === undefined) throw new Error(refusal.message)
  return link
}

describe("a tracker's link", () => {
  it('logs in, and settles what the count of the answer says', async () => {
    answers.push('00000002')
    const link = await openLink()
    expect(await link.send([fix(0), fix(1)])).toEqual({ kind: 'settled', accepted: 2, duplicates: 0, rejected: [] })
    link.close()
    await link.ended
    expect(received[0]?.toString('hex')).toBe(`000f${Buffer.from(IMEI).toString('hex')}`)
    expect(TELTONIKA.decode(received[1] as Buffer).records).toHaveLength(2)
  })

  it('takes another count for a refusal, and so a count of nothing', async () => {
    answers.push('00000001', '0000000000000000aa')
    const link = await openLink()
    expect(await link.send([fix(0), fix(1)])).toMatchObject({ kind: 'refused', refusal: { code: 'wrong_count' } })
    expect(await link.send([fix(0)])).toMatchObject({ kind: 'refused', refusal: { code: 'not_taken' } })
    link.cut()
  })

  it('is refused by the brand’s own word', async () => {
    answers = ['00']
    const { refusal } = await transportTo(portOf()).open(new AbortController().signal)
    expect(refusal?.code).toBe('login_refused')
  })

  it('takes a connection that is ended in good order for a refusal where the brand has no other', async () => {
    answers = []
    server.on('connection', (socket) => socket.end())
    const { refusal } = await transportTo(portOf(), 'queclink').open(new AbortController().signal)
    expect(refusal?.code).toBe('login_refused')
    const teltonika = await transportTo(portOf()).open(new AbortController().signal)
    expect(teltonika.refusal?.code).toBe('unreachable')
  })

  it('cannot be opened where nobody listens, or when it is told to stop', async () => {
    const port = portOf()
    answers = []
    const stopping = new AbortController()
    const opening = transportTo(port).open(stopping.signal)
    setTimeout(() => stopping.abort(), 50)
    expect((await opening).refusal).toEqual({ code: 'unreachable', message: 'stopped' })
    server.close()
    for (const socket of sockets) socket.destroy()
    const { refusal } = await transportTo(port).open(new AbortController().signal)
    expect(refusal).toEqual({ code: 'unreachable', message: `127.0.0.1:${port}: ECONNREFUSED` })
  })

  it('leaves unanswered what was under way when it is cut', async () => {
    const link = await openLink()
    const sending = link.send([fix(0)])
    link.cut()
    expect(await sending).toEqual({ kind: 'unanswered' })
    expect(await link.ended).toEqual({})
    expect(await link.send([fix(1)])).toEqual({ kind: 'unanswered' })
  })

  it('answers an order that came with the login once there is somebody who obeys', async () => {
    const order = TELTONIKA.encodeCommand(
      { type: 'CUSTOM', params: { text: 'getver' } },
      { imei: IMEI, model: null, password: null, serial: 1 },
    )
    if ('unsupported' in order) throw new Error(order.unsupported)
    answers = [LET_IN + order.bytes.toString('hex')]
    const link = await openLink()
    link.commands?.onCommand(({ type, params }) => {
      expect({ type, params }).toEqual({ type: 'CUSTOM', params: { text: 'getver' } })
      return { status: 'done', result: 'Ver:1', message: null }
    })
    while (received.length < 2) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(TELTONIKA.decode(received[1] as Buffer).reply).toMatchObject({ status: 'done', message: 'Ver:1' })
    link.close()
    await link.ended
  })
})

describe("a tracker's datagrams", () => {
  it('are settled by the answer with their ids, whatever else comes', async () => {
    const peer = createSocket('udp4').bind(0, '127.0.0.1')
    await once(peer, 'listening')
    const options = { protocol: 'teltonika', transport: 'udp', port: peer.address().port, sack: false } as const
    const transport = new TrackerTransport('http://127.0.0.1:3000', IMEI, options, new SystemClock())
    const { link } = await transport.open(new AbortController().signal)
    if (link === undefined) throw new Error('no link')
    peer.once('message', (bytes: Buffer, { port }: RemoteInfo) => {
      const [message] = TELTONIKA.decodeDatagram?.(bytes) ?? []
      if (message === undefined || message instanceof Error) throw new Error('no message')
      const answer = message.answers.settled as Buffer
      const other = Buffer.from(answer)
      other.writeUInt8(0xee, 5)
      for (const one of [Buffer.from('00'), other, answer]) peer.send(one, port, '127.0.0.1')
    })
    expect(await link.send([fix(0), fix(1)])).toEqual({ kind: 'settled', accepted: 2, duplicates: 0, rejected: [] })
    const sending = link.send([fix(2)])
    link.close()
    await link.ended
    expect(await sending).toEqual({ kind: 'unanswered' })
    peer.close()
  })
})
