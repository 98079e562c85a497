import { createSocket } from 'node:dgram'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import path from 'node:path'
import { ADMIN_PASSWORD, runToEnd, ServerProcess } from './support/server-process.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'

afterAll(removeTemporaryDirectories)

/** What a start that failed may say: one line, no stack trace. */
function expectOneLine(output: string, ...words: string[]): void {
  const lines = output.trim().split('\n')
  expect(lines).toHaveLength(1)
  for (const word of words) expect(lines[0]).toContain(word)
  expect(output).not.toMatch(/\n\s+at /)
}

describe('a start that cannot succeed', () => {
  it('names every wrong variable at once and ends with 78', async () => {
    const { code, output } = await runToEnd({
      DATA_DIR: temporaryDirectory(),
      PORT: 'x',
      RETENTION_DAYS: '-3',
      IMEI_CHECK: 'no',
    })
    expect(code).toBe(78)
    expectOneLine(output, 'PORT', 'RETENTION_DAYS', 'IMEI_CHECK')
  })

  it('ends with 73 when the data directory cannot be made', async () => {
    const file = path.join(temporaryDirectory(), 'file')
    writeFileSync(file, '')
    const { code, output } = await runToEnd({ DATA_DIR: path.join(file, 'data') })
    expect(code).toBe(73)
    expectOneLine(output, path.join(file, 'data'))
  })

  it('ends with 69 when the port is in use', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => other.once('listening', resolve))
    const { port } = other.address() as { port: number }
    try {
      const { code, output } = await runToEnd({ DATA_DIR: temporaryDirectory(), PORT: String(port) })
      expect(code).toBe(69)
      expectOneLine(output.replace(/^\{.*\}\n/gm, ''), String(port), 'in use')
    } finally {
      other.close()
    }
  })

  it.each([
    ['TRACKER_TELTONIKA_PORT', 'Teltonika'],
    ['TRACKER_QUECLINK_PORT', 'Queclink'],
    ['TRACKER_RUPTELA_PORT', 'Ruptela'],
    ['TRACKER_GALILEOSKY_PORT', 'Galileosky'],
  ])('ends with 69 when the port of %s is in use, and names it with its brand', async (variable, brand) => {
    const other = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => other.once('listening', resolve))
    const { port } = other.address() as { port: number }
    try {
      const { code, output } = await runToEnd({ DATA_DIR: temporaryDirectory(), [variable]: String(port) })
      expect(code).toBe(69)
      const line = output.replace(/^\{.*\}\n/gm, '')
      expectOneLine(line, `port ${port} for ${brand} trackers (${variable}) is in use`)
    } finally {
      other.close()
    }
  })

  it.each([
    ['TRACKER_TELTONIKA_PORT', 'Teltonika'],
    ['TRACKER_QUECLINK_PORT', 'Queclink'],
    ['TRACKER_RUPTELA_PORT', 'Ruptela'],
  ])('ends with 69 when %s is in use for datagrams alone', async (variable, brand) => {
    const other = createSocket('udp4').bind(0, '127.0.0.1')
    await new Promise((resolve) => other.once('listening', resolve))
    const { port } = other.address()
    try {
      const { code, output } = await runToEnd({ DATA_DIR: temporaryDirectory(), [variable]: String(port) })
      expect(code).toBe(69)
      const line = output.replace(/^\{.*\}\n/gm, '')
      expectOneLine(line, `port ${port} for ${brand} trackers (${variable}) is in use`)
    } finally {
      other.close()
    }
  })

  it('ends with 69 when another server uses the data directory', async () => {
    const server = new ServerProcess({ DATA_DIR: temporaryDirectory() })
    await server.start()
    try {
      const { code, output } = await runToEnd({ DATA_DIR: server.dataDirectory })
      expect(code).toBe(69)
      expectOneLine(output, server.dataDirectory)
    } finally {
      await server.kill()
    }
  })
})

describe('a start on files that are no databases', () => {
  it.each(['milepost.sqlite', 'positions.sqlite', 'quarantine.sqlite', 'frames.sqlite', 'spool.sqlite'])(
    'ends with 69 when %s is no database',
    async (name) => {
      const directory = temporaryDirectory()
      writeFileSync(
        path.join(directory, name),
        'this is no database, but it is long enough to be looked at '.repeat(100),
      )
      const { code, output } = await runToEnd({ DATA_DIR: directory })
      expect(code).toBe(69)
      expectOneLine(output, name)
    },
  )

  it('ends with 69 when a database cannot be opened', async () => {
    const directory = temporaryDirectory()
    mkdirSync(path.join(directory, 'positions.sqlite'))
    const { code, output } = await runToEnd({ DATA_DIR: directory })
    expect(code).toBe(69)
    expectOneLine(output, 'positions.sqlite')
  })
})

describe('a first start', () => {
  it('tells where it listens, where Swagger UI is and the password, once; keys are for the owner only', async () => {
    const directory = temporaryDirectory()
    const server = new ServerProcess({ DATA_DIR: directory, ADMIN_PASSWORD: '' })
    await server.start()
    const password = /log in as admin with the password (\S+)/.exec(server.log)?.[1]
    expect(server.log).toContain(`Milepost listens on ${server.url}`)
    expect(server.log).toContain(`Swagger UI: ${server.url}/docs`)
    expect(await server.api.login('admin', password as string)).toEqual(expect.any(String))
    const keys = readdirSync(path.join(directory, 'keys'))
    expect(keys.length).toBeGreaterThan(0)
    for (const key of keys) expect(statSync(path.join(directory, 'keys', key)).mode & 0o077).toBe(0)
    expect(await server.stop()).toBe(0)

    await server.start()
    expect(server.log).not.toContain('password')
    expect(await server.api.login('admin', password as string)).toEqual(expect.any(String))
    expect(await server.stop()).toBe(0)
  })

  it('warns about open enrolment at every start', async () => {
    const server = new ServerProcess({ DATA_DIR: temporaryDirectory(), DEVICE_ENROLMENT: 'open' })
    for (let n = 0; n < 2; n++) {
      await server.start()
      expect(server.log).toContain('WARNING: DEVICE_ENROLMENT=open')
      await server.stop()
    }
  })

  it('makes its data directory and starts again after a SIGKILL', async () => {
    const directory = path.join(temporaryDirectory(), 'deep', 'data')
    const server = new ServerProcess({ DATA_DIR: directory })
    await server.start()
    expect(existsSync(path.join(directory, 'keys'))).toBe(true)
    await server.kill()
    await server.start()
    expect(await server.api.login('admin', ADMIN_PASSWORD)).toEqual(expect.any(String))
    await server.kill()
  })

  it('writes log lines as JSON with an event name, and no token', async () => {
    const server = new ServerProcess({ DATA_DIR: temporaryDirectory(), LOG_LEVEL: 'debug' })
    await server.start()
    const token = await server.api.login('admin', ADMIN_PASSWORD)
    await server.api.get('/api/v1/devices', token)
    await server.stop()
    const lines = server.log.split('\n').filter((line) => line.startsWith('{'))
    expect(lines.length).toBeGreaterThan(0)
    for (const line of lines)
      expect(JSON.parse(line)).toMatchObject({ level: expect.anything(), time: expect.anything() })
    expect(server.log).not.toContain(token)
    expect(server.log).not.toContain(ADMIN_PASSWORD)
  })
})

it('documents the exit codes', () => {
  const text = readFileSync('docs/operations.md', 'utf8')
  for (const code of ['78', '73', '69']) expect(text).toContain(code)
})
