import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Logger } from '@nestjs/common'
import type { DataSource } from 'typeorm'
import { Metrics } from '../metrics/metrics.js'
import { AppError } from '../model/app-error.js'
import type { CommandOrder, CommandReply, CommandType } from '../model/command.js'
import type { Link } from '../sessions/link.js'
import { Sessions } from '../sessions/sessions.js'
import type { CommandRecord } from '../storage/sql/command-records.js'
import { openSqliteDataSource } from '../storage/sql/sqlite-data-source.js'
import { TypeormCommandRecords } from '../storage/sql/typeorm-command-records.js'
import { CommandChanges } from './command-changes.js'
import { CommandDispatcher } from './command-dispatcher.js'
import { cancel, lapse, MAX_RESENDS_NOTED, settle } from './command-life.js'
import { CommandSweeper } from './command-sweeper.js'

const T = 1_700_000_000_000
const ACCEPTED: CommandReply = { status: 'accepted', result: null, message: null }
const DONE: CommandReply = { status: 'done', result: { n: 1 }, message: null }

let directory: string
let dataSource: DataSource
let now: number
let full = false
/** Devices that are not in the registry. */
const gone = new Set<string>()
let stop: () => void = () => undefined

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'milepost-dispatcher-'))
  dataSource = await openSqliteDataSource({ file: path.join(directory, 'milepost.sqlite') })
  Logger.overrideLogger(false)
})
afterAll(async () => {
  Logger.overrideLogger(['error'])
  await dataSource.destroy()
  rmSync(directory, { recursive: true, force: true })
})
beforeEach(async () => {
  await dataSource.query('DELETE FROM commands')
  now = T
  full = false
  gone.clear()
})
afterEach(() => {
  stop()
  jest.restoreAllMocks()
})

/** Calls of the store that are under way: while there is none, nothing moves by itself. */
let underWay = 0

/** A store that says when it is asked. */
class WatchedRecords extends TypeormCommandRecords {
  override find(id: string) {
    return watched(super.find(id))
  }
  override findNext(deviceId: string) {
    return watched(super.findNext(deviceId))
  }
  override insert(command: Parameters<TypeormCommandRecords['insert']>[0]) {
    return watched(super.insert(command))
  }
  override replace(record: CommandRecord) {
    return watched(super.replace(record))
  }
  override listDue(atMs: number, limit: number) {
    return watched(super.listDue(atMs, limit))
  }
  override listWaitingDevices() {
    return watched(super.listWaitingDevices())
  }
  override listOpen(deviceId: string, limit: number) {
    return watched(super.listOpen(deviceId, limit))
  }
}

async function watched<T>(call: Promise<T>): Promise<T> {
  underWay += 1
  try {
    return await call
  } finally {
    underWay -= 1
  }
}

/** Until nothing asks the store any more. */
async function quiet(): Promise<void> {
  for (let idle = 0; idle < 3; idle = underWay > 0 ? 0 : idle + 1) await nextTurn()
}

/** Everything between the store and the links, as one process has it. */
async function start(prepare: (sessions: Sessions) => void = () => undefined) {
  const clock = () => now
  const records = new WatchedRecords(dataSource)
  const sessions = new Sessions(new Metrics(), clock)
  const assertWritable = () => {
    if (full) throw new AppError('disk_full')
  }
  const changes = new CommandChanges(records, { assertWritable } as never, clock)
  const resent: string[] = []
  const options = { resultTimeoutMs: 600_000, onResent: ({ id }: CommandRecord) => resent.push(id), now: clock }
  const dispatcher = new CommandDispatcher(records, changes, sessions, options)
  const isThere = (deviceId: string) => !gone.has(deviceId)
  const there = {
    list: async ({ among }: { among: string[] }) => among.filter(isThere).map((deviceId) => ({ deviceId })),
  }
  const sweeper = new CommandSweeper(records, changes, there as never, sessions, clock)
  await sweeper.start()
  prepare(sessions)
  await dispatcher.start()
  stop = () => {
    dispatcher.stop()
    sweeper.stop()
  }
  const wish = (type: CommandType = 'RESET', deviceId = 'd', ttlMs = 86_400_000) =>
    changes.begin({ deviceId, type, params: {}, ttlMs, createdBy: 'ann' })
  /** Lets time pass in steps of the clock's second. */
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= 1000) {
      now += Math.min(left, 1000)
      dispatcher.tick()
      sweeper.tick()
      await quiet()
    }
  }
  return { records, sessions, changes, dispatcher, wish, pass, resent }
}

/** A unit's link, of which a test says what comes back. */
class TestLink implements Link {
  readonly transport = 'socket'
  readonly openedAtMs = now
  isBusy = false
  readonly orders: CommandOrder[] = []
  readonly answers: Array<(reply: CommandReply | undefined) => void> = []

  constructor(
    readonly deviceId = 'd',
    readonly carriesCommandIds = true,
  ) {}

  sendCommand(order: CommandOrder): Promise<CommandReply | undefined> {
    this.orders.push(order)
    return new Promise((resolve) => this.answers.push(resolve))
  }

  close(): void {}
}

function connect(sessions: Sessions, link = new TestLink()): TestLink {
  sessions.open(link, link.carriesCommandIds)
  sessions.ready(link)
  return link
}

const stepsOf = async (records: TypeormCommandRecords, { id }: CommandRecord) =>
  (await records.find(id))?.history.map(
    ({ atMs, status, detail }) => `${atMs - T} ${status}${detail === null ? '' : ` ${detail}`}`,
  )
const idsOf = ({ orders }: TestLink) => orders.map(({ id }) => id)

describe('the dispatcher', () => {
  it('gives a command to a unit that is there, and to one that comes', async () => {
    const { sessions, wish, records } = await start()
    const here = connect(sessions)
    const first = await wish('REBOOT')
    const second = await wish('RESET', 'later')
    await quiet()
    expect(here.orders).toEqual([{ id: first.id, type: 'REBOOT', params: {}, expiresAtMs: T + 86_400_000 }])
    const there = connect(sessions, new TestLink('later'))
    await quiet()
    expect(idsOf(there)).toEqual([second.id])
    expect(await stepsOf(records, second)).toEqual(['0 queued', '0 sent'])
  })

  it('stores that a command goes out before it does', async () => {
    const { sessions, wish, records } = await start()
    const statuses: Array<Promise<string | undefined>> = []
    const link = new TestLink()
    link.sendCommand = async ({ id }) => {
      statuses.push(records.find(id).then((command) => command?.status))
      return undefined
    }
    connect(sessions, link)
    await wish()
    await quiet()
    expect(await Promise.all(statuses)).toEqual(['sent'])
  })

  it('says nothing on a link that ended while it was stored, and goes on with the next one', async () => {
    const { sessions, wish, records } = await start()
    const link = connect(sessions)
    const replace = records.replace.bind(records)
    jest.spyOn(records, 'replace').mockImplementationOnce(async (record) => {
      const stored = await replace(record)
      sessions.closed(link)
      return stored
    })
    const { id } = await wish()
    await quiet()
    expect([link.orders, (await records.find(id))?.status]).toEqual([[], 'sent'])
    const next = connect(sessions)
    await quiet()
    expect(idsOf(next)).toEqual([id])
  })

  it('does not send what was cancelled while that it goes out was stored', async () => {
    const { sessions, wish, records, changes } = await start()
    const replace = records.replace.bind(records)
    jest.spyOn(records, 'replace').mockImplementationOnce(async (record) => {
      await changes.apply(record.id, (command, nowMs) => cancel(command, null, nowMs))
      return replace(record)
    })
    const link = connect(sessions)
    const [cancelled, next] = [await wish(), await wish('REBOOT')]
    await quiet()
    expect([idsOf(link), (await records.find(cancelled.id))?.status]).toEqual([[next.id], 'cancelled'])
  })

  it('sends nothing that is overdue, however long ago anybody looked', async () => {
    const { sessions, wish, records } = await start()
    const [short, long] = [await wish('RESET', 'd', 1000), await wish('REBOOT')]
    now += 1000
    const link = connect(sessions)
    await quiet()
    expect([idsOf(link), (await records.find(short.id))?.status]).toEqual([[long.id], 'expired'])
    now += 86_400_000
    const newer = connect(sessions)
    await quiet()
    expect([newer.orders, (await records.find(long.id))?.status]).toEqual([[], 'expired'])
  })

  it('does not send again what ended while that was stored', async () => {
    const { sessions, wish, records, changes } = await start()
    const older = connect(sessions)
    const { id } = await wish()
    await quiet()
    const replace = records.replace.bind(records)
    jest.spyOn(records, 'replace').mockImplementationOnce(async (record) => {
      await changes.apply(id, (command, nowMs) => cancel(command, null, nowMs))
      return replace(record)
    })
    const newer = connect(sessions)
    await quiet()
    expect([idsOf(older), newer.orders, (await records.find(id))?.status]).toEqual([[id], [], 'cancelled'])
  })

  it('sends again without end, though it is noted only so often', async () => {
    const { sessions, wish, records, resent } = await start()
    const { id } = await wish()
    for (let n = 0; n < MAX_RESENDS_NOTED + 5; n++) {
      const link = connect(sessions)
      await quiet()
      expect(idsOf(link)).toEqual([id])
      sessions.closed(link)
    }
    const steps = (await records.find(id))?.history.length
    expect([steps, resent]).toEqual([2 + MAX_RESENDS_NOTED, Array(MAX_RESENDS_NOTED + 4).fill(id)])
  })

  it('says nothing to a unit that has not joined yet', async () => {
    const { sessions, wish } = await start()
    const link = new TestLink()
    sessions.open(link, true)
    const { id } = await wish()
    await quiet()
    expect(link.orders).toEqual([])
    sessions.ready(link)
    await quiet()
    expect(idsOf(link)).toEqual([id])
  })

  it('gives commands in order, the next one when the one before is accepted or has ended', async () => {
    const { sessions, wish, records, changes } = await start()
    const link = connect(sessions)
    const commands = []
    for (let n = 0; n < 5; n++) commands.push(await wish())
    const ids = commands.map(({ id }) => id)
    await quiet()
    expect(idsOf(link)).toEqual(ids.slice(0, 1))
    link.answers[0]?.(ACCEPTED)
    await quiet()
    expect(idsOf(link)).toEqual(ids.slice(0, 2))
    link.answers[1]?.(DONE)
    await quiet()
    expect(idsOf(link)).toEqual(ids.slice(0, 3))
    await changes.apply(ids[2] as string, (command, nowMs) => cancel(command, null, nowMs))
    await quiet()
    expect(idsOf(link)).toEqual(ids.slice(0, 4))
    await changes.apply(ids[3] as string, (command, nowMs) => settle(command, { ...DONE, status: 'failed' }, nowMs))
    await quiet()
    expect(idsOf(link)).toEqual(ids)
    const statuses = await Promise.all(ids.map(async (id) => (await records.find(id))?.status))
    expect(statuses).toEqual(['accepted', 'done', 'cancelled', 'failed', 'sent'])
  })

  it('sends what is not answered again after 30 s with the same id, and takes a late answer of before', async () => {
    const { sessions, wish, records, pass } = await start()
    const link = connect(sessions)
    const command = await wish()
    await quiet()
    await pass(29_000)
    expect(link.orders).toHaveLength(1)
    await pass(1000)
    expect(idsOf(link)).toEqual([command.id, command.id])
    await pass(30_000)
    expect(link.orders).toHaveLength(3)
    link.answers[0]?.(DONE)
    link.answers[1]?.(DONE)
    await quiet()
    await pass(60_000)
    expect(link.orders).toHaveLength(3)
    expect(await stepsOf(records, command)).toEqual([
      '0 queued',
      '0 sent',
      '30000 sent resent',
      '60000 sent resent',
      '60000 done',
    ])
  })

  it('sends it again on each new link at once, and takes an answer of an older link', async () => {
    const { sessions, wish, records } = await start()
    const older = connect(sessions)
    const command = await wish()
    await quiet()
    now += 5
    const newer = connect(sessions)
    await quiet()
    expect([idsOf(older), idsOf(newer)]).toEqual([[command.id], [command.id]])
    older.answers[0]?.(ACCEPTED)
    await quiet()
    newer.answers[0]?.(ACCEPTED)
    await quiet()
    expect(await stepsOf(records, command)).toEqual(['0 queued', '0 sent', '5 sent resent', '5 accepted'])
  })

  it('sends it until it expires, and not after', async () => {
    const { sessions, wish, records, pass } = await start()
    const link = connect(sessions)
    const command = await wish('RESET', 'd', 45_000)
    await quiet()
    await pass(120_000)
    expect(link.orders).toHaveLength(2)
    expect(await stepsOf(records, command)).toEqual(['0 queued', '0 sent', '30000 sent resent', '45000 expired'])
    link.answers[1]?.(ACCEPTED)
    await quiet()
    expect((await records.find(command.id))?.status).toBe('expired')
  })

  it('lets commands expire while their unit is away, and gives out the next one that has not', async () => {
    const { sessions, wish, records, pass } = await start()
    const short = await wish('RESET', 'd', 5000)
    const long = await wish('REBOOT', 'd', 50_000)
    await pass(10_000)
    const link = connect(sessions)
    await quiet()
    expect(idsOf(link)).toEqual([long.id])
    expect(await stepsOf(records, short)).toEqual(['0 queued', '5000 expired'])
  })

  it('fails what was accepted and gets no result, also across a restart', async () => {
    const one = await start()
    const link = connect(one.sessions)
    const [first, second] = [await one.wish(), await one.wish()]
    await quiet()
    for (const n of [0, 1]) {
      link.answers[n]?.(ACCEPTED)
      await quiet()
    }
    await one.pass(599_000)
    expect((await one.records.find(first.id))?.status).toBe('accepted')
    stop()
    now += 2000
    const { records } = await start()
    for (const { id } of [first, second])
      expect(await records.find(id)).toMatchObject({ status: 'failed', message: 'no_result' })
  })

  it('goes on after a restart: expires at once what is overdue, sends again what was sent, keeps the order', async () => {
    const one = await start()
    const lost = connect(one.sessions)
    const [sent, short, next] = [await one.wish(), await one.wish('RESET', 'd', 1000), await one.wish()]
    await quiet()
    stop()
    now += 60_000
    const two = await start()
    expect((await two.records.find(short.id))?.status).toBe('expired')
    const link = connect(two.sessions)
    await quiet()
    link.answers[0]?.(DONE)
    await quiet()
    expect([idsOf(lost), idsOf(link)]).toEqual([[sent.id], [sent.id, next.id]])
  })

  it('keeps a command in mind that comes while there seems to be none, and whose unit goes at that moment', async () => {
    const { sessions, wish, records } = await start()
    const link = connect(sessions)
    await wish()
    await quiet()
    let late: CommandRecord | undefined
    jest.spyOn(records, 'findNext').mockImplementationOnce(async () => {
      late = await wish()
      sessions.closed(link)
      return undefined
    })
    link.answers[0]?.(DONE)
    await quiet()
    const next = connect(sessions)
    await quiet()
    expect(idsOf(next)).toEqual([late?.id])
  })

  it('asks nothing of the store for devices without commands', async () => {
    const { sessions, wish, records } = await start()
    await wish('RESET', 'd7')
    await quiet()
    const findNext = jest.spyOn(records, 'findNext')
    for (let n = 0; n < 5000; n++) connect(sessions, new TestLink(`d${n}`))
    await quiet()
    expect(findNext.mock.calls).toEqual([['d7']])
  })

  it('gives 500 units that come back at once their commands, few at a time', async () => {
    const { sessions, wish, records } = await start()
    for (let n = 0; n < 500; n++) await wish('RESET', `d${n}`)
    await quiet()
    let underWay = 0
    let most = 0
    const findNext = records.findNext.bind(records)
    jest.spyOn(records, 'findNext').mockImplementation(async (deviceId) => {
      most = Math.max(most, ++underWay)
      const found = await findNext(deviceId)
      underWay -= 1
      return found
    })
    const links = Array.from({ length: 500 }, (_, n) => connect(sessions, new TestLink(`d${n}`)))
    while (links.some(({ orders }) => orders.length === 0)) await quiet()
    expect(links.every(({ orders }) => orders.length === 1)).toBe(true)
    expect(most).toBeLessThanOrEqual(32)
  })
})

describe('the dispatcher, when the newest of several links ends', () => {
  /** Links that do not replace each other. */
  const add = (sessions: Sessions, carriesIds: boolean, isReady = true) => {
    const link = new TestLink('d', carriesIds)
    sessions.open(link, false)
    if (isReady) sessions.ready(link)
    return link
  }

  it('goes on with what was sent on the one before, at once', async () => {
    const { sessions, wish, records } = await start()
    const [older, newer] = [add(sessions, true), add(sessions, true)]
    const command = await wish()
    await quiet()
    expect([idsOf(older), idsOf(newer)]).toEqual([[], [command.id]])
    now += 7
    sessions.closed(newer)
    await quiet()
    expect(idsOf(older)).toEqual([command.id])
    expect(await stepsOf(records, command)).toEqual(['0 queued', '0 sent', '7 sent resent'])
  })

  it.each([true, false])('gives the one before what came while it was not joined (ids: %s)', async (carriesIds) => {
    const { sessions, wish } = await start()
    const older = add(sessions, carriesIds)
    const newer = add(sessions, carriesIds, false)
    const { id } = await wish()
    await quiet()
    expect(older.orders).toEqual([])
    sessions.closed(newer)
    await quiet()
    expect([idsOf(older), newer.orders]).toEqual([[id], []])
  })
})

describe('the dispatcher, when the store fails', () => {
  const broken = () => Promise.reject(new AppError('store_unavailable'))

  it('asks a store that is away less and less often for what is to go out again', async () => {
    const { sessions, wish, records, pass } = await start()
    const link = connect(sessions)
    await wish()
    await quiet()
    await pass(29_000)
    const findNext = jest.spyOn(records, 'findNext').mockImplementation(broken)
    await pass(32_000)
    expect(findNext).toHaveBeenCalledTimes(6) // after 30, 31, 33, 37, 45, 61 s
    findNext.mockRestore()
    await pass(30_000)
    expect(link.orders).toHaveLength(2)
  })

  it('tries again until the command is out', async () => {
    const { sessions, wish, records, pass } = await start()
    const replace = jest.spyOn(records, 'replace').mockImplementation(broken)
    const link = connect(sessions)
    const { id } = await wish()
    await quiet()
    await pass(10_000)
    expect(link.orders).toEqual([])
    expect(replace.mock.calls.length).toBeLessThan(6) // after 0, 1, 3, 7 s
    replace.mockRestore()
    await pass(8000)
    expect(idsOf(link)).toEqual([id])
  })

  it('keeps an answer until the store takes it', async () => {
    const { sessions, wish, records, pass } = await start()
    const link = connect(sessions, new TestLink('d', false))
    const { id } = await wish()
    await quiet()
    const find = jest.spyOn(records, 'find').mockImplementation(broken)
    link.answers[0]?.(DONE)
    await quiet()
    await pass(3000)
    find.mockRestore()
    await pass(8000)
    expect(await records.find(id)).toMatchObject({ status: 'done', result: { n: 1 } })
  })

  it('writes nothing while the disk is full, and goes on afterwards', async () => {
    const { sessions, wish, records, pass } = await start()
    const { id } = await wish('RESET', 'd', 60_000)
    full = true
    const link = connect(sessions)
    await quiet()
    await pass(3000)
    expect([link.orders, (await records.find(id))?.status]).toEqual([[], 'queued'])
    full = false
    await pass(8000)
    expect(idsOf(link)).toEqual([id])
  })
})

describe('the dispatcher, when nobody tells it what was stored', () => {
  const away = () => new AppError('store_unavailable')

  it('gives out a command whose answer was lost when it was made, within a minute', async () => {
    const { sessions, changes, pass } = await start()
    const link = connect(sessions)
    const wish = { deviceId: 'd', type: 'RESET', params: {}, ttlMs: 86_400_000, createdBy: 'ann' } as const
    let id: string | undefined
    const lost = changes.begin(wish, undefined, async (write) => {
      id = (await write(new TypeormCommandRecords(dataSource))).id
      throw away()
    })
    await expect(lost).rejects.toMatchObject({ code: 'store_unavailable' })
    await pass(59_000)
    expect(link.orders).toEqual([])
    await pass(1000)
    expect(idsOf(link)).toEqual([id])
  })

  it('gives it to a unit that comes later, too', async () => {
    const { sessions, pass } = await start()
    const other = new TypeormCommandRecords(dataSource)
    const changes = new CommandChanges(other, { assertWritable: () => undefined } as never, () => now)
    const { id } = await changes.begin({ deviceId: 'd', type: 'RESET', params: {}, ttlMs: 86_400_000, createdBy: 'b' })
    await pass(60_000)
    const link = connect(sessions)
    await quiet()
    expect(idsOf(link)).toEqual([id])
  })

  it('goes on after a command that ended elsewhere, on a link without command ids', async () => {
    const { sessions, wish, records, pass } = await start()
    const link = connect(sessions, new TestLink('d', false))
    const [first, second] = [await wish('CUSTOM'), await wish('CUSTOM')]
    await quiet()
    const sent = (await records.find(first.id)) as CommandRecord
    await records.replace(cancel(sent, null, now) as CommandRecord)
    await pass(60_000)
    expect(idsOf(link)).toEqual([first.id, second.id])
  })

  it('goes on after a command whose end was stored and the answer lost', async () => {
    const { sessions, wish, records, dispatcher } = await start()
    const link = connect(sessions, new TestLink('d', false))
    const [first, second] = [await wish('CUSTOM'), await wish('CUSTOM')]
    await quiet()
    const replace = records.replace.bind(records)
    jest.spyOn(records, 'replace').mockImplementationOnce(async (record) => {
      await replace(record)
      throw away()
    })
    link.answers[0]?.(DONE)
    await quiet()
    expect(idsOf(link)).toEqual([first.id])
    now += 1000
    dispatcher.tick()
    await quiet()
    expect(idsOf(link)).toEqual([first.id, second.id])
  })

  it('asks one question for many devices that are not there', async () => {
    const { wish, records, pass } = await start()
    for (let n = 0; n < 50; n++) await wish('RESET', `d${n}`)
    await quiet()
    const findNext = jest.spyOn(records, 'findNext')
    const list = jest.spyOn(records, 'listWaitingDevices')
    await pass(60_000)
    expect([findNext.mock.calls.length, list.mock.calls.length]).toEqual([0, 1])
  })
})

describe('the dispatcher, on links without command ids', () => {
  const connectTracker = (sessions: Sessions) => connect(sessions, new TestLink('d', false))

  it('never sends anything twice, and fails it after 60 s without a reply', async () => {
    const { sessions, wish, records, pass } = await start()
    const first = connectTracker(sessions)
    const command = await wish('CUSTOM')
    const next = await wish('CUSTOM')
    await quiet()
    await pass(40_000)
    sessions.closed(first)
    const second = connectTracker(sessions)
    await pass(19_000)
    expect([first.orders.length, second.orders.length]).toEqual([1, 0])
    await pass(1000)
    expect(await stepsOf(records, command)).toEqual(['0 queued', '0 sent', '60000 failed no_reply'])
    expect(idsOf(second)).toEqual([next.id])
  })

  it('takes a reply within that time', async () => {
    const { sessions, wish, records, pass } = await start()
    const link = connectTracker(sessions)
    const command = await wish('CUSTOM')
    await quiet()
    await pass(50_000)
    link.answers[0]?.(DONE)
    await quiet()
    expect((await records.find(command.id))?.status).toBe('done')
  })

  it.each(['RESET', 'REBOOT'] as const)(
    'takes the end of the link by the unit and its return for the end of %s',
    async (type) => {
      const { sessions, wish, records, pass } = await start()
      const first = connectTracker(sessions)
      const command = await wish(type)
      await quiet()
      await pass(2000)
      sessions.closed(first)
      await quiet()
      await pass(88_000)
      expect((await records.find(command.id))?.status).toBe('sent')
      const second = connectTracker(sessions)
      await quiet()
      expect(second.orders).toEqual([])
      expect(await stepsOf(records, command)).toEqual([
        '0 queued',
        '0 sent',
        '2000 sent link_ended',
        '90000 done link_restarted',
      ])
    },
  )

  it('does so for a unit that is back before its end was stored, and after a restart of the server', async () => {
    const one = await start()
    const link = connectTracker(one.sessions)
    const command = await one.wish()
    await quiet()
    one.sessions.closed(link)
    connectTracker(one.sessions)
    await quiet()
    await quiet()
    expect((await one.records.find(command.id))?.status).toBe('done')
    const next = await one.wish()
    await quiet()
    one.sessions.closed(one.sessions.linkOf('d') as Link)
    await quiet()
    stop()
    now += 90_000
    const two = await start()
    connectTracker(two.sessions)
    await quiet()
    expect(await two.records.find(next.id)).toMatchObject({ status: 'done', message: 'link_restarted' })
  })

  it('does not take the end of another link for it', async () => {
    const { sessions, wish, records } = await start()
    const older = connectTracker(sessions)
    connectTracker(sessions)
    const command = await wish()
    await quiet()
    sessions.closed(older)
    await quiet()
    connectTracker(sessions)
    await quiet()
    expect((await records.find(command.id))?.status).toBe('sent')
  })

  it('does not send it again after the server was killed, and fails it when its time is over', async () => {
    const one = await start()
    const link = connectTracker(one.sessions)
    const [command, next] = [await one.wish('CUSTOM'), await one.wish('CUSTOM')]
    await quiet()
    expect(idsOf(link)).toEqual([command.id])
    stop()
    now += 20_000
    const two = await start()
    const again = connectTracker(two.sessions)
    await two.pass(39_000)
    expect(again.orders).toEqual([])
    await two.pass(1000)
    expect(await stepsOf(two.records, command)).toEqual(['0 queued', '0 sent', '60000 failed no_reply'])
    expect(idsOf(again)).toEqual([next.id])
  })

  it('gives out the next one when its answer cannot be taken for that to one that ended before', async () => {
    const { sessions, wish, records, changes, pass } = await start()
    const link = connectTracker(sessions)
    const [first, second] = [await wish('CUSTOM', 'd', 10_000), await wish('CUSTOM')]
    await quiet()
    link.isBusy = true
    await pass(12_000)
    expect((await records.find(first.id))?.status).toBe('expired')
    expect(idsOf(link)).toEqual([first.id])
    link.isBusy = false
    link.answers[0]?.(DONE)
    await quiet()
    expect(idsOf(link)).toEqual([first.id, second.id])
    link.isBusy = true
    const third = await wish('CUSTOM')
    await changes.apply(second.id, (command, nowMs) => cancel(command, null, nowMs))
    await pass(2000)
    expect(idsOf(link)).toEqual([first.id, second.id])
    link.isBusy = false
    link.answers[1]?.(undefined)
    await quiet()
    expect(idsOf(link)).toEqual([first.id, second.id, third.id])
    expect(await stepsOf(records, first)).toEqual(['0 queued', '0 sent', '10000 expired', '12000 expired late_done'])
  })

  it('fails it at once when we ended the link', async () => {
    const { sessions, wish, records } = await start()
    const link = connectTracker(sessions)
    const command = await wish()
    await quiet()
    sessions.end(link, 'token_expired')
    sessions.closed(link)
    await quiet()
    expect(await records.find(command.id)).toMatchObject({ status: 'failed', message: 'no_reply' })
  })

  it('fails it at once when the way in ended the link by itself', async () => {
    const { sessions, wish, records } = await start()
    const link = connectTracker(sessions)
    const command = await wish('REBOOT')
    await quiet()
    sessions.closed(link, 'server')
    await quiet()
    expect(await records.find(command.id)).toMatchObject({ status: 'failed', message: 'no_reply' })
  })

  it('takes an answer on another link for the end, and only notes one that comes after the end', async () => {
    const { sessions, dispatcher, wish, records, pass } = await start()
    const result = { deviceId: 'd', status: 'done' as const, result: null, message: 'ok' }
    const link = connectTracker(sessions)
    const command = await wish('CUSTOM')
    await quiet()
    sessions.closed(link)
    const second = connectTracker(sessions)
    await pass(2000)
    dispatcher.handleLateResult({ ...result, id: command.id })
    await quiet()
    expect(await records.find(command.id)).toMatchObject({ status: 'done', message: 'ok' })

    const late = await wish('CUSTOM')
    await quiet()
    expect(idsOf(second)).toEqual([late.id])
    await pass(60_000)
    dispatcher.handleLateResult({ ...result, id: late.id })
    dispatcher.handleLateResult({ ...result, id: late.id, deviceId: 'other', status: 'failed' })
    await quiet()
    expect(await stepsOf(records, late)).toEqual([
      '2000 queued',
      '2000 sent',
      '62000 failed no_reply',
      '62000 failed late_done',
    ])
    expect((await records.find(late.id))?.message).toBe('no_reply')
  })

  it('keeps an answer on another link until the store takes it', async () => {
    const { sessions, dispatcher, wish, records, pass } = await start()
    connectTracker(sessions)
    const command = await wish('CUSTOM')
    await quiet()
    jest.spyOn(records, 'find').mockRejectedValueOnce(new AppError('store_unavailable'))
    dispatcher.handleLateResult({ id: command.id, deviceId: 'd', status: 'done', result: null, message: 'ok' })
    await quiet()
    await pass(2000)
    expect(await records.find(command.id)).toMatchObject({ status: 'done', message: 'ok' })
  })

  it('does not send it again either when the unit comes back on a link that carries ids', async () => {
    const { sessions, wish, pass } = await start()
    connectTracker(sessions)
    await wish('CUSTOM')
    await quiet()
    const socket = connect(sessions)
    await pass(59_000)
    expect(socket.orders).toEqual([])
  })
})

describe('commands of a device that left the registry', () => {
  it('are cancelled, and those of one that was added again are not', async () => {
    const { sessions, wish, records } = await start()
    const [queued, other] = [await wish(), await wish('RESET', 'other')]
    now += 1
    sessions.forget('d')
    now += 1
    const newer = await wish()
    await quiet()
    await quiet()
    expect(await records.find(queued.id)).toMatchObject({ status: 'cancelled', message: 'device_deleted' })
    expect((await records.find(newer.id))?.status).toBe('queued')
    expect((await records.find(other.id))?.status).toBe('queued')
  })

  it('are cancelled at the next start where a killed server left them', async () => {
    const one = await start()
    const commands = [await one.wish(), await one.wish(), await one.wish('RESET', 'other')]
    connect(one.sessions)
    await quiet()
    stop()
    gone.add('d')
    const { records, sessions } = await start()
    const found = await Promise.all(commands.map(({ id }) => records.find(id)))
    expect(found.map((command) => [command?.status, command?.message])).toEqual([
      ['cancelled', 'device_deleted'],
      ['cancelled', 'device_deleted'],
      ['queued', null],
    ])
    const link = connect(sessions)
    await quiet()
    expect(link.orders).toEqual([])
  })
})

describe('the dispatcher and its clock', () => {
  it('lets a command end once when its result comes in the moment in which it expires', async () => {
    const { sessions, wish, records, changes } = await start()
    connect(sessions)
    for (const isResultFirst of [true, false]) {
      const { id } = await wish('RESET', 'd', 1000)
      await quiet()
      now += 1000
      const result = () => changes.apply(id, (command, nowMs) => settle(command, { ...DONE, status: 'done' }, nowMs))
      const expiry = () => changes.apply(id, lapse)
      await Promise.all(isResultFirst ? [result(), expiry()] : [expiry(), result()])
      const found = await records.find(id)
      const ends = found?.history.slice(2).map(({ status, detail }) => detail ?? status)
      expect([['done'], ['expired', 'late_done']]).toContainEqual(ends)
      expect(found?.result).toEqual(found?.status === 'done' ? DONE.result : null)
    }
  })

  it('finds links that came while it learned which devices have commands', async () => {
    const one = await start()
    const { id } = await one.wish()
    stop()
    const list = TypeormCommandRecords.prototype.listWaitingDevices
    const link = new TestLink()
    let afterwards = () => {}
    jest.spyOn(TypeormCommandRecords.prototype, 'listWaitingDevices').mockImplementation(async function (
      this: TypeormCommandRecords,
    ) {
      const devices = await list.call(this)
      afterwards()
      return devices
    })
    const { sessions } = await start((sessions) => {
      afterwards = () => void connect(sessions, link)
    })
    await quiet()
    expect([sessions.linkOf('d') === link, idsOf(link)]).toEqual([true, [id]])
  })
})
