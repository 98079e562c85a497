import { openTestRecords, type TestRecords } from '../../test/support/test-records.js'
import { AppError } from '../model/app-error.js'
import type { CommandRecord } from '../storage/sql/command-records.js'
import { CommandChanges } from './command-changes.js'
import { cancel, send, settle } from './command-life.js'

const T = 1_700_000_000_000
const WISH = { deviceId: 'd', type: 'RESET', params: {}, ttlMs: 60_000, createdBy: 'ann' } as const
const DONE = { status: 'done', result: null, message: null } as const

describe('CommandChanges, when the answer of the store is lost', () => {
  let records: TestRecords
  let now: number

  beforeAll(async () => {
    records = await openTestRecords()
  })
  afterAll(() => records.close())
  beforeEach(() => {
    now = T
  })
  afterEach(() => jest.restoreAllMocks())

  function build() {
    const changes = new CommandChanges(records.commands, { assertWritable: () => undefined } as never, () => now)
    const told: string[] = []
    changes.onChange((after, before) =>
      told.push(`${before?.revision ?? '-'} ${before?.status ?? '-'} > ${after.revision} ${after.status}`),
    )
    const applySend = ({ id }: CommandRecord) => changes.apply(id, (command, nowMs) => send(command, false, nowMs))
    return { changes, told, applySend }
  }

  const away = () => new AppError('store_unavailable')
  const loseAnswer = () => {
    const replace = records.commands.replace.bind(records.commands)
    jest.spyOn(records.commands, 'replace').mockImplementationOnce(async (record) => {
      await replace(record)
      throw away()
    })
  }

  it('tells of a new command when its request finds it, once', async () => {
    const { changes, told } = build()
    const lost = changes.begin(WISH, 'request', async (write) => {
      await write(records.commands)
      throw away()
    })
    await expect(lost).rejects.toMatchObject({ code: 'store_unavailable' })
    expect(told).toEqual([])
    const made = (await records.commands.findByRequest('request', 0)) as CommandRecord
    changes.found(made, 'request')
    changes.found(made, 'request')
    expect(told).toEqual(['- - > 1 queued'])
  })

  it('does not tell again of a new command that was told, or has changed since', async () => {
    const { changes, told, applySend } = build()
    changes.found(await changes.begin(WISH, 'known'), 'known')
    const lost = changes.begin(WISH, 'later', async (write) => {
      await write(records.commands)
      throw away()
    })
    await expect(lost).rejects.toMatchObject({ code: 'store_unavailable' })
    const made = (await records.commands.findByRequest('later', 0)) as CommandRecord
    await applySend(made)
    changes.found((await records.commands.find(made.id)) as CommandRecord, 'later')
    expect(told).toEqual(['- - > 1 queued', '1 queued > 2 sent'])
  })

  it('tells of a change that was kept when it is tried again', async () => {
    const { changes, told } = build()
    const { id } = await changes.begin({ ...WISH, deviceId: 'again' })
    loseAnswer()
    const rule = (command: CommandRecord, nowMs: number) => cancel(command, null, nowMs)
    await expect(changes.apply(id, rule)).rejects.toMatchObject({ code: 'store_unavailable' })
    expect(told).toEqual(['- - > 1 queued'])
    expect(await changes.apply(id, rule)).toMatchObject({ isChanged: false, command: { status: 'cancelled' } })
    expect(told).toEqual(['- - > 1 queued', '1 queued > 2 cancelled'])
  })

  it('tells of it by itself, and of nothing that was not kept', async () => {
    const { changes, told, applySend } = build()
    const kept = await changes.begin({ ...WISH, deviceId: 'kept' })
    const refused = await changes.begin({ ...WISH, deviceId: 'refused' })
    loseAnswer()
    await expect(applySend(kept)).rejects.toMatchObject({ code: 'store_unavailable' })
    jest.spyOn(records.commands, 'replace').mockRejectedValueOnce(away())
    await expect(applySend(refused)).rejects.toMatchObject({ code: 'store_unavailable' })
    told.length = 0
    const find = jest.spyOn(records.commands, 'find').mockRejectedValue(away())
    await expect(changes.settle()).rejects.toMatchObject({ code: 'store_unavailable' })
    find.mockRestore()
    await changes.settle()
    expect(told).toEqual(['1 queued > 2 sent'])
    now += 30_000
    await changes.settle()
    const asked = jest.spyOn(records.commands, 'find')
    await changes.settle()
    expect([told.length, asked.mock.calls]).toEqual([1, []])
  })

  it('tells of the one of several tries that was kept, before what came of it', async () => {
    const { changes, told, applySend } = build()
    const command = await changes.begin({ ...WISH, deviceId: 'tries' })
    const replace = records.commands.replace.bind(records.commands)
    let isKept = false
    const lost = jest.spyOn(records.commands, 'replace').mockImplementation(async (record) => {
      if (isKept) await replace(record)
      throw away()
    })
    for (const kept of [false, true]) {
      now += 10
      isKept = kept
      await expect(applySend(command)).rejects.toMatchObject({ code: 'store_unavailable' })
    }
    lost.mockRestore()
    told.length = 0
    await changes.apply(command.id, (one, nowMs) => settle(one, DONE, nowMs))
    expect(told).toEqual(['1 queued > 2 sent', '2 sent > 3 done'])
  })

  it('does not take what somebody else did meanwhile for its own', async () => {
    const { changes, told, applySend } = build()
    const command = await changes.begin({ ...WISH, deviceId: 'other' })
    jest.spyOn(records.commands, 'replace').mockRejectedValueOnce(away())
    await expect(applySend(command)).rejects.toMatchObject({ code: 'store_unavailable' })
    await records.commands.replace(cancel(command, null, T) as CommandRecord)
    told.length = 0
    await changes.settle()
    expect(told).toEqual([])
  })
})
