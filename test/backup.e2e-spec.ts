import { execFile } from 'node:child_process'
import { cpSync, existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import type { Socket } from 'socket.io-client'
import { testImei } from './support/api.js'
import { ADMIN_PASSWORD, ServerProcess } from './support/server-process.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { ask, connectSocket } from './support/unit-socket.js'

const UNITS = 5
const run = promisify(execFile)

/** The command, as `npm run backup` starts it. */
async function backup(environment: Record<string, string>, ...parameters: string[]) {
  const command = path.join(process.cwd(), 'dist/src/cli/backup.js')
  const env = { PATH: process.env.PATH, DISK_MIN_FREE: '0', ...environment }
  return run(process.execPath, [command, ...parameters], { env }).then(
    ({ stdout }) => ({ code: 0, output: stdout }),
    ({ code, stderr }: { code: number; stderr: string }) => ({ code, output: stderr }),
  )
}

describe('npm run backup', () => {
  const servers: ServerProcess[] = []
  const sockets: Socket[] = []
  const start = async (data: string) => {
    const server = new ServerProcess({ DATA_DIR: data, DEVICE_ENROLMENT: 'open' })
    servers.push(server)
    await server.start()
    return server
  }

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.close()
    for (const server of servers.splice(0)) await server.kill()
  })
  afterAll(removeTemporaryDirectories)

  it('takes all that was acknowledged before it began, under writes, and a server starts on the copy', async () => {
    const directory = temporaryDirectory()
    const data = path.join(directory, 'data')
    const server = await start(data)
    const imeis = Array.from({ length: UNITS }, (_, index) => testImei(index))
    const startMs = Date.now() - 3_600_000
    const acknowledged = new Map(imeis.map((imei) => [imei, 0]))
    let isSending = true
    const unit = async (imei: string) => {
      const socket = await connectSocket(server.url, { token: await server.api.loginDevice(imei) })
      sockets.push(socket)
      for (let sent = 0; isSending; sent += 10) {
        const batch = Array.from({ length: 10 }, (_, index) => ({
          time: startMs + (sent + index) * 10,
          latitude: 48 + sent / 1e6,
          longitude: 11,
        }))
        const { accepted } = await ask<{ accepted: number }>(socket, 'location', batch)
        acknowledged.set(imei, (acknowledged.get(imei) ?? 0) + accepted)
      }
    }
    const sending = Promise.all(imeis.map(unit))
    while ([...acknowledged.values()].some((count) => count < 500))
      await new Promise((resolve) => setTimeout(resolve, 20))

    const unitToken = await server.api.loginDevice(imeis[0] ?? '')
    const before = new Map(acknowledged)
    const target = path.join(directory, 'backups', 'first')
    const { code, output } = await backup({ DATA_DIR: data }, '--to', target)
    const after = new Map(acknowledged)
    isSending = false
    await sending
    expect(output).toMatch(/^backed up: .+first, 7 files, \d+\.\d MiB, as of 20\d\d-.+Z\n$/)
    expect(code).toBe(0)
    expect(readdirSync(target).sort()).toEqual([
      'blobs',
      'frames.sqlite',
      'keys',
      'manifest.json',
      'milepost.sqlite',
      'positions.sqlite',
      'quarantine.sqlite',
      'spool.sqlite',
    ])
    for (const imei of imeis) expect(after.get(imei)).toBeGreaterThan(before.get(imei) ?? 0)
    const oldToken = await server.api.login('admin', ADMIN_PASSWORD)
    await server.kill()

    // As docs/operations.md says: copy it back, start.
    const restored = path.join(directory, 'restored')
    cpSync(target, restored, { recursive: true })
    const second = await start(restored)
    const token = await second.api.login('admin', ADMIN_PASSWORD)
    for (const imei of imeis) {
      const { body } = await second.api.get<{ points: number }>(`/api/v1/devices/${imei}/odometer`, token)
      expect(body.points).toBeGreaterThanOrEqual(before.get(imei) ?? 0)
      expect(body.points).toBeLessThanOrEqual(acknowledged.get(imei) ?? 0)
    }
    // The keys came along: a unit's token from before the backup is still good; a session from after it is not known.
    const position = { time: Date.now(), latitude: 1, longitude: 1 }
    expect((await second.api.post('/api/v1/locations', position, unitToken)).status).toBe(200)
    expect((await second.api.get('/api/v1/auth/me', oldToken)).body.code).toBe('token_invalid')
  }, 60_000)

  it('refuses in one line what it cannot do', async () => {
    const directory = temporaryDirectory()
    const data = path.join(directory, 'data')
    const target = path.join(directory, 'backup')
    expect(await backup({ DATA_DIR: data }, '--to', target)).toEqual({
      code: 73,
      output: `backup: ${data} cannot be read: ENOENT: no such file or directory, scandir '${data}'\n`,
    })
    expect(existsSync(data)).toBe(false)
    const server = await start(data)
    expect((await backup({ DATA_DIR: data }, '--to', target)).code).toBe(0)
    expect(await backup({ DATA_DIR: data }, '--to', target)).toEqual({
      code: 73,
      output: `backup: ${target} exists: a backup goes into a new directory\n`,
    })
    expect((await backup({ DATA_DIR: data }, '--check', target)).output).toMatch(
      /^whole and unchanged: .+backup, 7 files/,
    )
    expect(await backup({ DATA_DIR: data }, '--check', data)).toEqual({
      code: 73,
      output: `backup: ${data} is no backup: ENOENT: no such file or directory, open '${path.join(data, 'manifest.json')}'\n`,
    })
    expect(await backup({ DATA_DIR: data, PORT: 'x' }, '--to', `${target}2`)).toMatchObject({ code: 78 })
    expect((await backup({ DATA_DIR: data })).code).toBe(1)
    expect(await server.stop()).toBe(0)
  })
})
