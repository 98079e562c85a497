import type { DataSource } from 'typeorm'
import { describeOn } from '../../../test/stores/describe-on.js'
import { openFreshMysql } from '../../../test/stores/open-mysql-data-source.js'
import { makeDevice } from '../../../test/support/memory-device-records.js'
import type { CommandRecord } from './command-records.js'
import { openMysqlRecords } from './open-mysql-records.js'
import type { SqlRecords } from './records-of.js'

const AT_MS = 1_700_000_000_000
const MANY = 30

describeOn('SQL_URL', 'two nodes on one MySQL or MariaDB', () => {
  let close: () => Promise<void>
  let dataSource: DataSource
  let nodes: readonly [SqlRecords, SqlRecords]

  beforeAll(async () => {
    const fresh = await openFreshMysql()
    const open = () => openMysqlRecords({ url: fresh.url, tls: 'off', poolSize: 5 })
    nodes = [await open(), await open()]
    dataSource = fresh.dataSource
    close = async () => {
      await Promise.all(nodes.map(({ store }) => store.close()))
      await fresh.close()
    }
  })
  afterAll(() => close())

  /** The same many times at once, on both nodes in turn. */
  const onBoth = <T>(act: (records: SqlRecords, i: number) => Promise<T>): Promise<T[]> =>
    Promise.all(Array.from({ length: MANY }, (_, i) => act(nodes[i % 2 === 0 ? 0 : 1], i)))

  const newCommand = (deviceId: string): Omit<CommandRecord, 'id' | 'revision'> => ({
    deviceId,
    type: 'RESET',
    params: {},
    status: 'queued',
    createdBy: 'ann',
    createdAtMs: AT_MS,
    expiresAtMs: AT_MS + 60_000,
    result: null,
    message: null,
    history: [],
    delivery: null,
    dueAtMs: AT_MS,
  })

  it('let one of many changes of a command at one revision through', async () => {
    const command = await nodes[0].commands.insert(newCommand('revisions'))

    const outcomes = await onBoth(({ commands }, i) => commands.replace({ ...command, message: `m${i}` }))

    const through = outcomes.filter((outcome) => outcome !== undefined)
    expect(through).toHaveLength(1)
    expect(await nodes[1].commands.find(command.id)).toEqual(through[0])
  })

  it('let one command of a device be sent at a time', async () => {
    const commands = await onBoth(({ commands: records }) => records.insert(newCommand('places')))

    const outcomes = await onBoth(({ commands: records }, i) => {
      const command = commands[i]
      if (!command) throw new Error('there are as many commands')
      return records.replace({ ...command, status: 'sent' })
    })

    expect(outcomes.filter((outcome) => outcome !== undefined)).toHaveLength(1)
  })

  it('give an idempotency key to one', async () => {
    const claim = { scopeHash: 'k', bodyHash: 'b', createdAtMs: AT_MS, owner: 'o', status: null, sealed: null }

    const holders = await onBoth(({ idempotency }) => idempotency.claim(claim))

    expect(holders.filter((holder) => holder === undefined)).toHaveLength(1)
    expect(holders.filter((holder) => holder !== undefined)).toEqual(Array(MANY - 1).fill(claim))
  })

  it('reserve a name of a video once', async () => {
    const outcomes = await onBoth(({ videos }, i) =>
      videos.reserve({
        id: `v${i}`,
        deviceId: 'videos',
        fileName: 'clip.mp4',
        bytes: 1,
        sha256: '0'.repeat(64),
        contentType: 'video/mp4',
        recordedAtMs: null,
        blobUploadId: `u${i}`,
        reservedAtMs: AT_MS,
      }),
    )

    expect(outcomes.filter((outcome) => outcome === undefined)).toHaveLength(1)
  })

  it('see what the other changed of an upload', async () => {
    const [here, there] = nodes
    await here.uploads.insert({
      id: 'u',
      deviceId: 'uploads',
      fileName: 'clip.mp4',
      length: 10,
      offset: 0,
      hashState: '',
      recordedAtMs: null,
      blobUploadId: 'b',
      createdAtMs: AT_MS,
      updatedAtMs: AT_MS,
      videoId: null,
    })

    for (let offset = 1; offset <= 10; offset++) {
      const [writer, reader] = offset % 2 === 0 ? [here, there] : [there, here]
      expect(await writer.uploads.update('u', { offset })).toBe(true)
      expect(await reader.uploads.find('u')).toMatchObject({ offset })
    }
  })

  it('add a device once, and keep the latest time it was seen', async () => {
    const inserted = await onBoth(({ devices }) => devices.insert(makeDevice({ deviceId: 'seen', lastSeenAtMs: null })))
    expect(inserted.filter((isNew) => isNew)).toHaveLength(1)

    const others = Array.from({ length: 20 }, (_, i) => `seen${i}`)
    for (const deviceId of others) await nodes[0].devices.insert(makeDevice({ deviceId, lastSeenAtMs: null }))
    await onBoth(({ devices }, i) => {
      const ids = i % 3 === 0 ? others : [...others].reverse()
      return devices.touch(['seen', ...ids].map((deviceId) => ({ deviceId, atMs: AT_MS + ((i * 7) % MANY) })))
    })

    for (const deviceId of ['seen', ...others]) {
      expect(await nodes[1].devices.find(deviceId)).toMatchObject({ lastSeenAtMs: AT_MS + MANY - 1 })
    }
  })

  it('keep an enabled admin, whoever takes which away', async () => {
    const names = ['ann', 'bob', 'cid']
    for (const username of names) {
      await nodes[0].users.insert({ username, passwordHash: 'x', role: 'admin', disabled: false, createdAtMs: AT_MS })
    }

    await onBoth(({ users }, i) => users.update(names[i % 3] ?? '', { disabled: true }))

    const enabled = (await nodes[0].users.list({ limit: 10 })).filter(({ disabled }) => !disabled)
    expect(enabled).toHaveLength(1)
  })

  it('remember an address of a device once', async () => {
    await onBoth(({ devices }, i) => devices.rememberAddress('addresses', '192.0.2.1', AT_MS + i))

    const rows = await dataSource.query("SELECT address FROM device_addresses WHERE device_id = 'addresses'")
    expect(rows).toEqual([{ address: '192.0.2.1' }])
  })

  it('raise an alarm once', async () => {
    const report = {
      deviceId: 'alarms',
      type: 'OVERSPEED',
      timeMs: AT_MS,
      eventKey: 'e',
      receivedAtMs: AT_MS,
      timeSuspect: false,
      latitude: 52.5,
      longitude: 13.4,
      speedKmh: 50,
      attributes: null,
    } as const

    const raised = await onBoth(({ alarms }, i) => alarms.raise([{ ...report, fileNames: [`f${i % 5}.mp4`] }], 20))

    const ids = new Set(raised.flat().map(({ alarm }) => alarm.id))
    expect(ids.size).toBe(1)
    expect(raised.flat().filter(({ isNew }) => isNew)).toHaveLength(1)
    const [id = ''] = ids
    const files = (await nodes[1].alarms.find(id))?.files.map(({ fileName }) => fileName).sort()
    expect(files).toEqual(['f0.mp4', 'f1.mp4', 'f2.mp4', 'f3.mp4', 'f4.mp4'])
  })

  it('write together all or nothing', async () => {
    const [here, there] = nodes
    const entry = { atMs: AT_MS, by: 'ann', action: 'device.create', target: 'both', detail: null, address: null }

    const failed = here.store.together(async ({ devices, audit }) => {
      await devices.insert(makeDevice({ deviceId: 'both' }))
      await audit.append(entry)
      throw new Error('changed my mind')
    })
    await expect(failed).rejects.toThrow('changed my mind')

    expect(await there.devices.find('both')).toBeUndefined()
    expect(await there.audit.list({ by: ['ann'], limit: 10 })).toEqual([])
  })

  it('are well, and refuse a copy in words', async () => {
    await nodes[0].store.checkHealth()
    await expect(nodes[0].store.backupTo('copy')).rejects.toMatchObject({
      message: expect.stringMatching(/back it up by the server's own tools/),
    })
  })
})
