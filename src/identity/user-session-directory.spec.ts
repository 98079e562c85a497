import { Logger } from '@nestjs/common'
import { openTestRecords, type TestRecords, testUser } from '../../test/support/test-records.js'
import { AppError } from '../model/app-error.js'
import type { Role } from '../storage/sql/user-records.js'
import { RECHECK_MS, UserSessionDirectory } from './user-session-directory.js'

const HOUR_MS = 3_600_000
const KEEP_MS = 900_000

describe('UserSessionDirectory', () => {
  let records: TestRecords
  let nowMs: number
  let directory: UserSessionDirectory
  let ended: string[]
  let disabled: string[]
  let count = 0

  beforeAll(async () => {
    Logger.overrideLogger(false)
    records = await openTestRecords()
  })

  afterAll(() => records.close())

  beforeEach(() => {
    nowMs = Date.parse('2026-11-22T07:30:00.000Z')
    directory = new UserSessionDirectory(records.users, KEEP_MS, () => nowMs)
    ended = []
    disabled = []
    directory.onEnded((sessionId) => ended.push(sessionId))
    directory.onUserDisabled((username) => disabled.push(username))
  })

  afterEach(() => jest.restoreAllMocks())

  /** A new user with one session. */
  async function open(role: Role = 'viewer') {
    count += 1
    const username = `user-${count}`
    const sessionId = `session-${count}`
    const user = testUser({ username, role })
    await records.users.insert(user)
    const times = { createdAtMs: nowMs, expiresAtMs: nowMs + HOUR_MS, endedAtMs: null }
    await records.users.insertSession({ sessionId, username, ...times }, `hash-${count}`)
    return { username, sessionId, role, accountSinceMs: user.createdAtMs }
  }

  it('finds a session with the role that its user has', async () => {
    const session = await open('operator')
    expect(await directory.find(session.sessionId)).toEqual(session)
    expect(await directory.find('no such session')).toBeUndefined()
  })

  it('asks the store once in three seconds', async () => {
    const { sessionId } = await open()
    const find = jest.spyOn(records.users, 'findSession')
    await Promise.all([directory.find(sessionId), directory.find(sessionId)])
    nowMs += RECHECK_MS - 1
    await directory.find(sessionId)
    expect(find).toHaveBeenCalledTimes(1)
    nowMs += 1
    await directory.find(sessionId)
    expect(find).toHaveBeenCalledTimes(2)
  })

  it('ends a session at once when it is told, and tells others', async () => {
    const { sessionId } = await open()
    await directory.find(sessionId)
    await records.users.endSession(sessionId, nowMs)
    directory.ended([sessionId])
    expect(ended).toEqual([sessionId])
    expect(await directory.find(sessionId)).toBeUndefined()
  })

  it('gives a new role at once', async () => {
    const session = await open('admin')
    await directory.find(session.sessionId)
    directory.userChanged({ username: session.username, role: 'viewer', disabled: false })
    expect((await directory.find(session.sessionId))?.role).toBe('viewer')
    expect(ended).toEqual([])
  })

  it('ends all sessions of a user who is disabled, and of no other', async () => {
    const [anna, bert] = [await open(), await open()]
    for (const { sessionId } of [anna, bert]) await directory.find(sessionId)
    await records.users.update(anna.username, { disabled: true })
    directory.userChanged({ username: anna.username, role: 'viewer', disabled: true })
    expect(ended).toEqual([anna.sessionId])
    expect(disabled).toEqual([anna.username])
    expect(await directory.find(anna.sessionId)).toBeUndefined()
    expect((await directory.find(bert.sessionId))?.username).toBe(bert.username)
  })

  it('sees within three seconds of use what was ended beside this process, and tells others', async () => {
    const { sessionId } = await open()
    await directory.find(sessionId)
    await records.users.endSession(sessionId, nowMs)
    expect((await directory.find(sessionId))?.sessionId).toBe(sessionId)
    nowMs += RECHECK_MS
    expect(await directory.find(sessionId)).toBeUndefined()
    expect(ended).toEqual([sessionId])
  })

  it('finds out in the background for those who only wait for word', async () => {
    const [anna, bert] = [await open(), await open()]
    for (const { sessionId } of [anna, bert]) await directory.find(sessionId)
    await records.users.update(anna.username, { disabled: true })
    nowMs += RECHECK_MS
    await directory.sweep()
    expect(ended).toEqual([anna.sessionId])
  })

  it('stops looking after a session that nobody has used for the life of a token', async () => {
    const { sessionId } = await open()
    await directory.find(sessionId)
    const find = jest.spyOn(records.users, 'findSession')
    nowMs += KEEP_MS + 1
    await directory.sweep()
    await directory.sweep()
    expect(find).not.toHaveBeenCalled()
    expect(ended).toEqual([])
  })

  it('goes on with what it knows while the store is away', async () => {
    const { sessionId } = await open()
    await directory.find(sessionId)
    nowMs += RECHECK_MS
    jest.spyOn(records.users, 'findSession').mockRejectedValue(new AppError('store_unavailable'))
    expect((await directory.find(sessionId))?.sessionId).toBe(sessionId)
    await expect(directory.find('another')).rejects.toMatchObject({ code: 'store_unavailable' })
  })

  it('lets a session end by the clock, also while the store is away', async () => {
    const { sessionId } = await open()
    await directory.find(sessionId)
    nowMs += HOUR_MS
    jest.spyOn(records.users, 'findSession').mockRejectedValueOnce(new AppError('store_unavailable'))
    expect(await directory.find(sessionId)).toBeUndefined()
    expect(await directory.find(sessionId)).toBeUndefined()
  })

  it('does not bring a session back that was ended while it was being read', async () => {
    const { sessionId } = await open()
    const before = await records.users.findSession(sessionId)
    jest.spyOn(records.users, 'findSession').mockImplementationOnce(async () => {
      await records.users.endSession(sessionId, nowMs)
      directory.ended([sessionId])
      return before
    })
    expect(await directory.find(sessionId)).toBeUndefined()
  })
})
