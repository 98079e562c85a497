import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { sentRecord } from '../../../test/support/tracker-brand.js'
import type { DecodeError } from '../../codecs/decode-error.js'
import { encodeHeadPacket, encodeTagPacket } from '../../codecs/galileosky/encode-records.js'
import { GALILEOSKY } from '../../codecs/galileosky/galileosky-codec.js'
import { encodeFixReport, encodeHeartbeat } from '../../codecs/queclink/encode-report.js'
import { QUECLINK } from '../../codecs/queclink/queclink-codec.js'
import { encodeUnitFrame } from '../../codecs/ruptela/encode-records.js'
import { RUPTELA } from '../../codecs/ruptela/ruptela-codec.js'
import { encodeLogin, encodeRecordsPacket } from '../../codecs/teltonika/encode-records.js'
import { TELTONIKA } from '../../codecs/teltonika/teltonika-codec.js'
import type { TrackerCodec, TrackerMessage, TrackerReply } from '../../codecs/tracker-codec.js'
import { framesOf } from '../../codecs/tracker-frames.contract.js'
import { AppError } from '../../model/app-error.js'
import type { CommandReply } from '../../model/command.js'
import type { ConnectionFrames } from './frame-archive.js'
import { SentCommands } from './sent-commands.js'
import { TrackerConnection, type TrackerEnd, type TrackerHost } from './tracker-connection.js'
import type { TrackerDevice } from './tracker-device.js'
import type { TrackerLink } from './tracker-link.js'

const IMEI = '356307042441013'
const FRAMES = framesOf('teltonika')
const hexOf = (id: string) => FRAMES.find((frame) => frame.id === id)?.hex ?? ''
const LOGIN = encodeLogin(IMEI)
const RECORDS = Buffer.from(hexOf('tel-c8-tcp-wiki-1'), 'hex')
const TWO_RECORDS = Buffer.from(hexOf('tel-c8-tcp-wiki-3'), 'hex')

/** A server's rest that lets one IMEI in and stores in memory. */
class MemoryHost implements TrackerHost {
  codec: TrackerCodec = TELTONIKA
  limits = { loginMs: 30_000, frameMs: 60_000, idleMs: 1_800_000, retryMs: 5000 }
  readonly stored: TrackerMessage[] = []
  readonly kept: string[] = []
  readonly ends: Array<TrackerEnd | undefined> = []
  readonly unreadable: DecodeError[] = []
  readonly faults: unknown[] = []
  readonly lateReplies: TrackerReply[] = []
  readonly settledReplies: TrackerReply[] = []
  readonly archived: string[] = []
  readonly links: TrackerLink[] = []
  readonly readyLinks: TrackerLink[] = []
  readonly sent = new SentCommands()
  readonly connections: TrackerConnection[] = []
  readonly read: string[] = []
  answeredCount = 0
  beganCount = 0
  sack = false
  isAskable = true
  isLetIn = true
  isRemembered = true
  /** What becomes of records. */
  outcome: 'stored' | 'kept' = 'stored'
  /** Refuses so many times. */
  failures = 0
  /** Waits for this before it stores. */
  gate: Promise<void> = Promise.resolve()

  async admit(imei: string): Promise<TrackerDevice | undefined> {
    if (!this.isAskable) throw new AppError('store_unavailable', 'away')
    this.isRemembered = this.isLetIn
    return imei === IMEI && this.isLetIn
      ? { deviceId: IMEI, model: null, sack: this.sack, commandPassword: null }
      : undefined
  }

  isWelcome(): boolean {
    return this.isRemembered
  }

  async settle(message: TrackerMessage): Promise<'stored' | 'kept'> {
    await this.gate
    if (this.failures-- > 0) throw new AppError('store_unavailable', 'away', { retryAfterMs: 20 })
    if (this.outcome === 'stored') this.stored.push(message)
    return this.outcome
  }

  async keep(
    message: TrackerMessage,
    _frame: Buffer,
    { imei, address }: { imei: string; address: string },
  ): Promise<void> {
    this.kept.push(`${imei} ${address} ${message.records.length}`)
  }

  openArchive(): ConnectionFrames {
    return {
      take: (direction, frame) => void this.archived.push(`${direction} ${Buffer.from(frame).toString('hex')}`),
      admit: (deviceId) => void this.archived.push(`of ${deviceId}`),
    }
  }

  handleUnreadable(error: DecodeError): void {
    this.unreadable.push(error)
  }

  handleFault(error: unknown): void {
    this.faults.push(error)
  }

  handleRead({ kind }: TrackerMessage): void {
    this.read.push(kind)
  }

  handleAnswered(): void {
    this.answeredCount += 1
  }

  learn(): void {}

  heard(): void {}

  ready(link: TrackerLink): void {
    this.readyLinks.push(link)
  }

  open(link: TrackerLink): void {
    this.links.push(link)
  }

  async settleReply(reply: TrackerReply): Promise<void> {
    await this.gate
    if (this.failures-- > 0) throw new AppError('store_unavailable', 'away', { retryAfterMs: 20 })
    this.settledReplies.push(reply)
  }

  handleLateReply(reply: TrackerReply): void {
    this.lateReplies.push(reply)
  }

  began(): void {
    this.beganCount += 1
  }

  ended(_connection: TrackerConnection, why: TrackerEnd | undefined): void {
    this.ends.push(why)
  }
}

describe('connection of a tracker', () => {
  let host: MemoryHost
  let server: Server
  let unit: Socket
  let answers: Buffer
  let nowMs: number

  async function connectUnit(): Promise<void> {
    const { port } = server.address() as { port: number }
    unit = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    answers = Buffer.alloc(0)
    unit.on('data', (chunk) => {
      answers = Buffer.concat([answers, chunk])
    })
    unit.on('error', () => undefined)
    await once(unit, 'connect')
  }

  beforeEach(async () => {
    host = new MemoryHost()
    nowMs = Date.now()
    server = createServer({ allowHalfOpen: true }, (socket) => {
      host.connections.push(new TrackerConnection(socket, host, () => nowMs))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    await connectUnit()
  })

  afterEach(async () => {
    unit.destroy()
    server.close()
    await once(server, 'close')
  })

  async function until(isMet: () => boolean): Promise<void> {
    for (let tries = 0; tries < 300 && !isMet(); tries++) await sleep(10)
  }

  async function answered(hex: string): Promise<void> {
    for (let tries = 0; tries < 300 && answers.length < hex.length / 2; tries++) await sleep(10)
    expect(answers.toString('hex')).toBe(hex)
  }

  async function ended(why: TrackerEnd | undefined): Promise<void> {
    if (!unit.readableEnded && !unit.destroyed) await Promise.race([once(unit, 'end'), once(unit, 'close')])
    unit.end()
    for (let tries = 0; tries < 300 && host.ends.length === 0; tries++) await sleep(10)
    expect(host.ends).toEqual([why])
  }

  it('answers the login and then each packet by the number of its records', async () => {
    unit.write(LOGIN)
    await answered('01')
    unit.write(RECORDS)
    await answered('0100000001')
    unit.write(TWO_RECORDS)
    await answered('010000000100000002')
    expect(host.stored.map(({ records }) => records.length)).toEqual([1, 2])
  })

  it('tells that it has begun, of each frame that it reads, and of each that it answers', async () => {
    unit.write(Buffer.concat([LOGIN, Buffer.of(0xff), RECORDS]))
    await answered('0100000001')
    expect([host.beganCount, host.read, host.answeredCount]).toEqual([1, ['login', 'heartbeat', 'records'], 2])
    unit.end()
    await ended(undefined)
    expect(host.beganCount).toBe(1)
  })

  it('answers what comes in one piece in the order it came', async () => {
    unit.write(Buffer.concat([LOGIN, RECORDS, TWO_RECORDS, Buffer.of(0xff), RECORDS]))
    await answered('01000000010000000200000001')
  })

  it('answers once all of a packet is there, however it is cut', async () => {
    unit.write(LOGIN)
    await answered('01')
    for (const byte of RECORDS.subarray(0, -1)) unit.write(Buffer.of(byte))
    await sleep(50)
    expect(answers.length).toBe(1)
    unit.write(RECORDS.subarray(-1))
    await answered('0100000001')
  })

  it('answers nothing before everything is stored', async () => {
    let open = () => {}
    host.gate = new Promise((resolve) => {
      open = resolve
    })
    unit.write(Buffer.concat([LOGIN, RECORDS]))
    await answered('01')
    await sleep(50)
    expect(answers.length).toBe(1)
    open()
    await answered('0100000001')
  })

  it('tries again while the store is away, and stores once', async () => {
    host.failures = 3
    unit.write(Buffer.concat([LOGIN, RECORDS]))
    await answered('0100000001')
    expect(host.stored.length).toBe(1)
  })

  it('tries no more when it was ended meanwhile: whoever is erased leaves nothing behind', async () => {
    unit.write(LOGIN)
    await answered('01')
    const settle = jest.spyOn(host, 'settle').mockImplementationOnce(async () => {
      setImmediate(() => host.links[0]?.close('device_disabled'))
      throw new AppError('store_unavailable', 'away', { retryAfterMs: 20 })
    })
    unit.write(RECORDS)
    await ended('device_disabled')
    await sleep(60)
    expect([settle.mock.calls.length, host.stored.length]).toEqual([1, 0])
  })

  it('gives up unanswered when the store stays away', async () => {
    host.failures = Number.POSITIVE_INFINITY
    host.limits = { ...host.limits, retryMs: 0 }
    unit.write(Buffer.concat([LOGIN, RECORDS]))
    await ended('store')
    expect(answers.toString('hex')).toBe('01')
  })

  it('answers nothing that is only kept, and goes on', async () => {
    host.outcome = 'kept'
    unit.write(Buffer.concat([LOGIN, RECORDS]))
    await answered('01')
    await sleep(50)
    host.outcome = 'stored'
    unit.write(TWO_RECORDS)
    await answered('0100000002')
    expect(host.stored.map(({ records }) => records.length)).toEqual([2])
  })

  it('does not read on while much waits', async () => {
    let open = () => {}
    host.gate = new Promise((resolve) => {
      open = resolve
    })
    unit.write(Buffer.concat([LOGIN, ...Array.from({ length: 2000 }, () => RECORDS)]))
    await until(() => host.archived.length >= 4)
    await sleep(200)
    expect(host.archived.length).toBe(4)
    open()
    await answered(`01${'00000001'.repeat(2000)}`)
  })

  it('settles what came whole before the connection broke, since not every tracker sends again', async () => {
    let open = () => {}
    host.gate = new Promise((resolve) => {
      open = resolve
    })
    unit.write(Buffer.concat([LOGIN, RECORDS, TWO_RECORDS, RECORDS.subarray(0, 30)]))
    await answered('01')
    unit.resetAndDestroy()
    for (let tries = 0; tries < 300 && host.ends.length === 0; tries++) await sleep(10)
    expect([host.ends, host.stored.length]).toEqual([[undefined], 0])
    open()
    await sleep(50)
    expect(host.stored.map(({ records }) => records.length)).toEqual([1, 2])
  })

  it('answers the frame at hand before it ends when the server stops, and takes none after it', async () => {
    let open = () => {}
    host.gate = new Promise((resolve) => {
      open = resolve
    })
    unit.write(Buffer.concat([LOGIN, RECORDS, TWO_RECORDS]))
    await answered('01')
    host.connections[0]?.end('shutting_down')
    open()
    await answered('0100000001')
    await ended('shutting_down')
    expect(host.stored.length).toBe(1)
  })

  it('lets others have their turn while one says much', async () => {
    unit.write(LOGIN)
    await answered('01')
    let turns = 0
    const counting = setInterval(() => turns++, 0)
    const empty = encodeRecordsPacket('8', [])
    unit.write(Buffer.concat(Array.from({ length: 3000 }, () => empty)))
    await answered(`01${'00000000'.repeat(3000)}`)
    clearInterval(counting)
    expect(turns).toBeGreaterThan(3)
  })

  it('takes any number of signs of life in a row for one', async () => {
    unit.write(Buffer.concat([LOGIN, Buffer.alloc(60_000, 0xff), RECORDS]))
    await answered('0100000001')
    const signs = host.archived.filter((frame) => frame.startsWith('in ff'))
    expect(signs.length).toBeLessThan(100)
    expect(signs.join('').replaceAll('in ', '').length).toBe(120_000)
  })

  it('ends alone, and tells of it, by a mistake of ours', async () => {
    host.gate = Promise.reject(new TypeError('undefined is not a function'))
    host.gate.catch(() => undefined)
    unit.write(Buffer.concat([LOGIN, RECORDS]))
    await ended('fault')
    expect(answers.toString('hex')).toBe('01')
    expect(host.faults).toEqual([expect.any(TypeError)])
  })

  it('lets nobody in whom nobody knows', async () => {
    unit.write(encodeLogin('352093086403655'))
    await ended('login_refused')
    expect(answers.toString('hex')).toBe('00')
  })

  describe('while nobody can say who is let in', () => {
    const record = sentRecord(0)
    const report = (count: number) => encodeFixReport(IMEI, [record], count)
    const heartbeat = encodeHeartbeat(IMEI, 0, 0x11f0)

    it('ends with who waits for its word, and comes again', async () => {
      host.isAskable = false
      unit.write(LOGIN)
      await ended('store')
      expect(answers.length).toBe(0)
    })

    it('keeps what nobody sends again, and stays also where a message brings nothing to keep', async () => {
      host.codec = QUECLINK
      host.isAskable = false
      unit.destroy()
      await connectUnit()
      unit.write(Buffer.concat([heartbeat, report(1), heartbeat, report(2)]))
      for (let tries = 0; tries < 100 && host.kept.length < 2; tries++) await sleep(10)
      expect([host.kept.length, answers.length]).toEqual([2, 0])
      host.isAskable = true
      unit.write(Buffer.concat([report(3), heartbeat]))
      for (let tries = 0; tries < 100 && answers.length === 0; tries++) await sleep(10)
      expect(answers.toString()).toBe('+SACK:GTHBD,060100,11F0$')
      expect([host.kept.length, host.stored.length]).toEqual([2, 1])
    })
  })

  describe('whose device changes while its first message waits for the store', () => {
    const sample = framesOf('ruptela').find(({ id }) => id === 'rup-01-1rec-dubai')?.hex ?? ''
    const records = encodeUnitFrame(IMEI, 0x01, Buffer.from(sample, 'hex').subarray(11, -2))
    let open: () => void

    beforeEach(async () => {
      host = new MemoryHost()
      host.codec = RUPTELA
      host.gate = new Promise((resolve) => {
        open = resolve
      })
      unit.destroy()
      await connectUnit()
      unit.write(records)
      await until(() => host.archived.includes(`of ${IMEI}`))
      host.isRemembered = false
    })

    it('answers what is stored, opens no link and ends when it is not let in any more', async () => {
      host.isLetIn = false
      open()
      await answered('0002640113bc')
      await ended('device_disabled')
      expect(host.links).toEqual([])
    })

    it('goes on when it is let in as before', async () => {
      open()
      await answered('0002640113bc')
      unit.write(records)
      await answered('0002640113bc0002640113bc')
      expect(host.links.length).toBe(1)
    })
  })

  it('takes no records before the login', async () => {
    unit.write(RECORDS)
    await ended('not_identified')
    expect([answers.length, host.stored.length]).toEqual([0, 0])
  })

  it('takes one identity a connection', async () => {
    unit.write(Buffer.concat([LOGIN, LOGIN]))
    await answered('0101')
    unit.write(encodeLogin('352093086403655'))
    await ended('other_identity')
  })

  it('ends with a frame whose checksum does not hold, which is told', async () => {
    const spoiled = Buffer.from(RECORDS)
    spoiled[30] = (spoiled[30] ?? 0) ^ 1
    unit.write(Buffer.concat([LOGIN, RECORDS, spoiled, RECORDS]))
    await ended('unreadable')
    expect(answers.toString('hex')).toBe('0100000001')
    expect(host.unreadable.map(({ code }) => code)).toEqual(['bad_checksum'])
  })

  it('ends at once with what is another protocol', async () => {
    unit.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await ended('unreadable')
    expect(host.unreadable.map(({ code }) => code)).toEqual(['bad_identity'])
  })

  it('answers a unit that sends no more after its last frame', async () => {
    unit.end(Buffer.concat([LOGIN, RECORDS]))
    await answered('0100000001')
    await ended(undefined)
  })

  it.each([
    ['login_timeout', 30_000, Buffer.alloc(0)],
    ['frame_timeout', 60_000, Buffer.concat([LOGIN, RECORDS.subarray(0, 20)])],
    ['idle_timeout', 1_800_000, LOGIN],
  ] as const)('ends by its %s', async (why, afterMs, bytes) => {
    unit.write(bytes)
    await until(() => host.connections.length === 1)
    if (bytes.length > 0) await answered('01')
    nowMs += afterMs - 1
    host.connections[0]?.tick()
    await sleep(50)
    expect([unit.readableEnded, host.ends]).toEqual([false, []])
    nowMs += 1
    host.connections[0]?.tick()
    await ended(why)
  })

  it('gives a command to the unit, and its answer to who waits for it, also among records', async () => {
    unit.write(LOGIN)
    await answered('01')
    const [link] = host.links
    const reply = link?.sendCommand({ id: 'c', type: 'CUSTOM', params: { text: 'getinfo' }, expiresAtMs: 0 }, 5000)
    await answered(`01${hexOf('tel-c12-getinfo-wiki')}`)
    unit.write(RECORDS)
    unit.write(Buffer.from(hexOf('tel-c12-getinfo-reply-wiki'), 'hex'))
    expect(await reply).toMatchObject({ status: 'done', message: expect.stringMatching(/^INI:2019/) })
    unit.write(Buffer.from(hexOf('tel-c12-getio-reply-wiki'), 'hex'))
    await until(() => host.lateReplies.length > 0)
    expect(host.lateReplies.map(({ message }) => message)).toEqual(['DI1:1 DI2:0 DI3:0 AIN1:0 AIN2:16924 DO1:0 DO2:1'])
  })

  it('may be given commands once what it brought is stored', async () => {
    let open = () => {}
    host.gate = new Promise((resolve) => {
      open = resolve
    })
    unit.write(Buffer.concat([LOGIN, RECORDS]))
    await answered('01')
    await sleep(50)
    expect([host.links.length, host.readyLinks.length]).toEqual([1, 0])
    open()
    await answered('0100000001')
    unit.write(RECORDS)
    await answered('010000000100000001')
    expect(host.readyLinks).toEqual(host.links)
  })

  it('may be given commands after two seconds in which it brings nothing', async () => {
    unit.write(LOGIN)
    await answered('01')
    await sleep(1500)
    expect(host.readyLinks).toEqual([])
    await sleep(800)
    expect(host.readyLinks).toEqual(host.links)
  })

  it('is not given commands when it has ended before that', async () => {
    unit.write(LOGIN)
    await answered('01')
    unit.destroy()
    await sleep(2200)
    expect([host.links.length, host.readyLinks.length]).toEqual([1, 0])
  })

  it('does not take the answer of another unit to its command', async () => {
    unit.write(LOGIN)
    await answered('01')
    const order = { id: 'c', type: 'CUSTOM' as const, params: { text: 'getver' }, expiresAtMs: 0 }
    const reply = host.links[0]?.sendCommand(order, 60_000)
    unit.write(Buffer.from(hexOf('tel-c14-getver-ack-wiki'), 'hex'))
    expect(await reply).toBeUndefined()
    await ended('other_identity')
    expect(host.lateReplies).toEqual([])
  })

  it('says of a command that the protocol lacks why it failed', async () => {
    unit.write(LOGIN)
    await answered('01')
    const order = { id: 'c', type: 'REQUEST_VIDEO' as const, params: {}, expiresAtMs: 0 }
    expect(await host.links[0]?.sendCommand(order, 1000)).toEqual({
      status: 'failed',
      result: null,
      message: 'unsupported_command: Teltonika trackers have no command for it',
    })
  })

  it('settles a command with nothing when the connection ends first', async () => {
    unit.write(LOGIN)
    await answered('01')
    const order = { id: 'c', type: 'RESET' as const, params: {}, expiresAtMs: 0 }
    const reply = host.links[0]?.sendCommand(order, 60_000)
    unit.destroy()
    expect(await reply).toBeUndefined()
  })

  describe('whose protocol acknowledges answers to commands', () => {
    const confirmed = (packet: Buffer) => `02${packet.subarray(-2).toString('hex')}`

    /** The answer to what the unit was told behind so many bytes. */
    function answerTo(at: number): Buffer {
      // Header, IMEI and device number stand before the tag of the command's number.
      const number = answers.subarray(at + 22, at + 27)
      return encodeTagPacket(
        Buffer.concat([Buffer.from(`\x03${IMEI}\x04\x00\x00`), number, Buffer.from('\xe1\x02ok', 'latin1')]),
      )
    }

    async function told(): Promise<{ packet: Buffer; reply: Promise<CommandReply | undefined>; before: string }> {
      host = new MemoryHost()
      host.codec = GALILEOSKY
      unit.destroy()
      await connectUnit()
      const head = encodeHeadPacket(IMEI)
      unit.write(head)
      await answered(confirmed(head))
      const order = { id: 'c', type: 'CUSTOM' as const, params: { text: 'status' }, expiresAtMs: 0 }
      const reply = host.links[0]?.sendCommand(order, 60_000) ?? Promise.resolve(undefined)
      for (let tries = 0; tries < 300 && answers.length < 40; tries++) await sleep(10)
      return { packet: answerTo(3), reply, before: answers.toString('hex') }
    }

    it('does that once its result is on disk, and not before', async () => {
      const { packet, reply, before } = await told()
      let open = () => {}
      host.gate = new Promise((resolve) => {
        open = resolve
      })
      unit.write(packet)
      await sleep(50)
      expect(answers.toString('hex')).toBe(before)
      open()
      await answered(before + confirmed(packet))
      expect(await reply).toEqual({ status: 'done', result: null, message: 'ok' })
      expect([host.settledReplies.length, host.lateReplies]).toEqual([1, []])
    })

    it('tries again while the store is away, and also with an answer that nobody waits for', async () => {
      const { packet, reply, before } = await told()
      host.failures = 2
      unit.write(packet)
      await answered(before + confirmed(packet))
      await reply
      unit.write(packet)
      await answered(before + confirmed(packet) + confirmed(packet))
      expect([host.settledReplies.length, host.lateReplies]).toEqual([2, []])
    })

    it('does not when the store stays away', async () => {
      const { packet, before } = await told()
      host.failures = Number.POSITIVE_INFINITY
      host.limits = { ...host.limits, retryMs: 0 }
      unit.write(packet)
      await ended('store')
      expect(answers.toString('hex')).toBe(before)
    })
  })

  it('archives every frame both ways, and says whose they are once that is known', async () => {
    unit.write(Buffer.concat([LOGIN, RECORDS]))
    await answered('0100000001')
    expect(host.archived).toEqual([
      `in ${LOGIN.toString('hex')}`,
      `of ${IMEI}`,
      'out 01',
      `in ${RECORDS.toString('hex')}`,
      'out 00000001',
    ])
  })

  it('archives also what ends it, since no frame can be told in it any more', async () => {
    const lost = Buffer.from('00000000000186a00801', 'hex')
    unit.write(Buffer.concat([LOGIN, lost]))
    await ended('unreadable')
    expect(host.archived).toEqual([`in ${LOGIN.toString('hex')}`, `of ${IMEI}`, 'out 01', `in ${lost.toString('hex')}`])
  })

  it('takes a packet of 255 records', async () => {
    const record = sentRecord(0)
    const records = Array.from({ length: 255 }, (_, i) => ({ ...record, timeMs: record.timeMs + i * 1000 }))
    unit.write(Buffer.concat([LOGIN, encodeRecordsPacket('8', records)]))
    await answered('01000000ff')
  })
})
