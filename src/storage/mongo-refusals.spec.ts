import { setTimeout as sleep } from 'node:timers/promises'
import { type Answer, FakeMongoServer } from '../../test/stores/fake-mongo-server.js'
import { type MongoConnection, openMongoConnection } from './mongo-connection.js'
import { openMongoPositions } from './positions/mongo-position-store.js'
import { sampleTrack } from './positions/position-samples.contract.js'
import type { PositionStore } from './positions/position-store.js'
import { openMongoQuarantine } from './quarantine/mongo-quarantine-store.js'

const DEADLOCK = 16908292

/** Real answers of a server that is not there: what the driver and the stores make of them. */
describe('what MongoDB may answer', () => {
  let server: FakeMongoServer
  let closers: Array<() => Promise<void>>

  beforeEach(() => {
    closers = []
  })

  afterEach(async () => {
    for (const close of closers) await close()
    await server.close()
  })

  const connect = async (answer: Answer, options = ''): Promise<MongoConnection> => {
    server = await FakeMongoServer.open(answer)
    const connection = await openMongoConnection({ url: server.url + options })
    closers.push(() => connection.close())
    return connection
  }

  const nameOf = (command: object) => Object.keys(command)[0]

  describe('at the start', () => {
    const majorityFails = {
      writeConcernError: { code: 100, codeName: 'CannotSatisfyWriteConcern', errmsg: 'Not enough data-bearing nodes' },
    }

    it('refuses a server that does not confirm a write of a majority', async () => {
      const opening = connect((command) =>
        nameOf(command) === 'update' ? { n: 1, nModified: 1, ...majorityFails } : undefined,
      )
      await expect(opening).rejects.toMatchObject({
        name: 'StoreOpenError',
        exitCode: 69,
        message: expect.stringMatching(
          /does not confirm a write with w: majority, j: true: Not enough data-bearing nodes \(100\)$/,
        ),
      })
    })

    it('asks each write to be in the journal of a majority', async () => {
      const concerns: unknown[] = []
      await connect((command) => {
        if (nameOf(command) === 'update') concerns.push(command.writeConcern)
        return undefined
      })
      expect(concerns).toEqual([{ w: 'majority', j: true, wtimeout: 5000 }])
    })

    it('refuses a server without a journal', async () => {
      const noJournal = {
        ok: 0,
        code: 2,
        codeName: 'BadValue',
        errmsg: "cannot use 'j' option when a host does not have journaling enabled",
      }
      const opening = connect((command) => (nameOf(command) === 'update' ? noJournal : undefined))
      await expect(opening).rejects.toThrow(
        /does not confirm a write with w: majority, j: true: cannot use 'j' option.* \(2\)$/,
      )
    })

    it('refuses an engine that keeps everything in memory, before it writes anything', async () => {
      const opening = connect((command) =>
        nameOf(command) === 'serverStatus' ? { storageEngine: { name: 'inMemory' } } : undefined,
      )
      await expect(opening).rejects.toThrow(/its storage engine inMemory keeps nothing on disk$/)
      expect(server.commands).toEqual(['buildInfo', 'serverStatus'])
    })

    it('says which right a user lacks', async () => {
      const refused = {
        ok: 0,
        code: 13,
        codeName: 'Unauthorized',
        errmsg: 'not authorized on milepost to execute command',
      }
      const connection = await connect((command) => (nameOf(command) === 'createIndexes' ? refused : undefined))
      await expect(openMongoPositions(connection)).rejects.toMatchObject({
        exitCode: 69,
        message: expect.stringMatching(
          /the user may not make the index place of latest; it needs the role readWrite: not authorized/,
        ),
      })
    })

    it('says which index is there with other fields', async () => {
      const conflict = {
        ok: 0,
        code: 86,
        codeName: 'IndexKeySpecsConflict',
        errmsg: 'An existing index has the same name',
      }
      const connection = await connect((command) => (nameOf(command) === 'createIndexes' ? conflict : undefined))
      await expect(openMongoQuarantine(connection)).rejects.toMatchObject({
        exitCode: 69,
        message: expect.stringMatching(
          /the index by_device of quarantine is there with other fields or options; drop that one/,
        ),
      })
    })

    it('waits for an index longer than for anything else', async () => {
      const connection = await connect(async (command) => {
        if (nameOf(command) === 'createIndexes') await sleep(6000)
        return undefined
      })
      const store = await openMongoPositions(connection)
      closers.unshift(() => store.close())
      expect(server.commands.filter((name) => name === 'createIndexes')).toEqual(['createIndexes'])
    }, 20_000)
  })

  describe('to an append', () => {
    const openPositions = async (answer: Answer): Promise<PositionStore> => {
      const store = await openMongoPositions(await connect(answer))
      closers.unshift(() => store.close())
      return store
    }

    /** Answers to the inserts of positions, one after the other. */
    const toInserts =
      (answers: Array<object | undefined>, sent: string[][] = []): Answer =>
      (command) => {
        if (command.insert !== 'positions') return undefined
        sent.push(command.documents.map(({ _id }: { _id: string }) => _id.slice(-1)))
        return answers.shift()
      }

    const fault = (index: number, code: number) => ({ index, code, errmsg: `fault ${code}` })

    it('sends those again that met another write, and tells nothing new as known', async () => {
      const sent: string[][] = []
      const track = sampleTrack('truck-1', 5)
      const answers = [
        { n: 2, writeErrors: [fault(1, DEADLOCK), fault(2, 11000), fault(3, DEADLOCK)] },
        { n: 1, writeErrors: [fault(1, DEADLOCK)] },
        undefined,
      ]
      const store = await openPositions(toInserts(answers, sent))
      const { isNew } = await store.append(track)
      expect(isNew).toEqual([true, true, false, true, true])
      expect(sent.map((documents) => documents.length)).toEqual([5, 2, 1])
      expect([sent[1], sent[2]]).toEqual([[sent[0]?.[1], sent[0]?.[3]], [sent[0]?.[3]]])
    })

    it('sends everything again when the whole insert met another write', async () => {
      const sent: string[][] = []
      const store = await openPositions(toInserts([{ ok: 0, code: DEADLOCK, errmsg: 'deadlock detected' }], sent))
      expect((await store.append(sampleTrack('truck-1', 3))).isNew).toEqual([true, true, true])
      expect(sent.map((documents) => documents.length)).toEqual([3, 3])
    })

    it('gives up in words when other writes stay in the way', async () => {
      const store = await openPositions(toInserts(Array(30).fill({ n: 0, writeErrors: [fault(0, DEADLOCK)] })))
      await expect(store.append(sampleTrack('truck-1', 1))).rejects.toMatchObject({
        code: 'store_unavailable',
        message: `positions: fault ${DEADLOCK} (${DEADLOCK})`,
      })
    })

    it('moves latest positions that met another write', async () => {
      const documents = new Map<string, { _id: string; k: string }>()
      let updates = 0
      const store = await openPositions((command) => {
        if (command.insert === 'latest') for (const document of command.documents) documents.set(document._id, document)
        if (command.find === 'latest')
          return { cursor: { id: 0n, ns: 'milepost.latest', firstBatch: [...documents.values()] } }
        if (command.update !== 'latest') return undefined
        updates++
        for (const [index, { q, u }] of command.updates.entries())
          if (updates > 1 || index === 0) documents.set(q._id, { ...documents.get(q._id), ...u.$set })
        return updates === 1 ? { n: 1, nModified: 1, writeErrors: [fault(1, DEADLOCK)] } : undefined
      })
      const positions = [...sampleTrack('truck-1', 1), ...sampleTrack('truck-2', 1)]
      expect(await store.append(positions)).toEqual({ isNew: [true, true], isLatest: [true, true] })
      expect(updates).toBe(2)
    })

    it.each([
      ['of the whole write', { ok: 0, code: 14031, codeName: 'OutOfDiskSpace', errmsg: 'out of disk space' }],
      ['of one document', { n: 0, writeErrors: [fault(0, 14031)] }],
      ['in PostgreSQL’s words', { ok: 0, code: 1, errmsg: 'could not extend file: No space left on device' }],
    ])('says that the disk is full: a fault %s', async (_, answer) => {
      const store = await openPositions(toInserts([answer]))
      await expect(store.append(sampleTrack('truck-1', 1))).rejects.toMatchObject({
        code: 'disk_full',
        retryAfterMs: 2000,
      })
    })

    it.each([
      ['of the whole write', { ok: 0, code: 10334, codeName: 'BSONObjectTooLarge', errmsg: 'object too large' }],
      ['of one document', { n: 0, writeErrors: [fault(0, 17280)] }],
    ])('says of a value that can never be stored that it is at fault, not the store: %s', async (_, answer) => {
      const store = await openPositions(toInserts([answer]))
      await expect(store.append(sampleTrack('truck-1', 1))).rejects.toThrow(RangeError)
    })

    it('refuses what a majority did not confirm, though it is stored', async () => {
      const store = await openPositions(
        toInserts([
          {
            n: 1,
            writeConcernError: {
              code: 64,
              codeName: 'WriteConcernTimeout',
              errmsg: 'waiting for replication timed out',
            },
          },
        ]),
      )
      await expect(store.append(sampleTrack('truck-1', 1))).rejects.toMatchObject({ code: 'store_unavailable' })
    })
  })

  it('keeps refused records whose insert met another write in part', async () => {
    const sent: number[] = []
    const connection = await connect((command) => {
      if (command.aggregate === 'quarantine')
        return { cursor: { id: 0n, ns: 'milepost.quarantine', firstBatch: [{ n: 3 }] } }
      if (command.insert !== 'quarantine') return undefined
      sent.push(command.documents.length)
      return sent.length === 1
        ? { n: 2, writeErrors: [{ index: 1, code: DEADLOCK, errmsg: 'deadlock detected' }] }
        : undefined
    })
    const store = await openMongoQuarantine(connection)
    closers.unshift(() => store.close())
    const record = { deviceId: 'truck-1', ingress: 'http', code: 'invalid_time', receivedAtMs: 1, raw: '{}' }
    await store.keep([record, record, record])
    expect(sent).toEqual([3, 1])
  })
})
