import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { rootCertificates } from 'node:tls'
import { type Connection, createServer } from 'mysql2'
import type { DataSource } from 'typeorm'
import { describeOn } from '../../../test/stores/describe-on.js'
import { misleadTo, OTHER_NAME } from '../../../test/stores/misled-names.js'
import { type Made, makeSqlDatabase, type ServerVariable } from '../../../test/stores/test-servers.js'
import { runToEnd } from '../../../test/support/server-process.js'
import { removeTemporaryDirectories, temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { parseConfig } from '../../config/app-config.js'
import type { MysqlOptions } from './mysql-data-source.js'
import { openMysqlDataSource } from './open-mysql-data-source.js'
import { openSqlRecords } from './open-sql-records.js'

const NEEDED: readonly ServerVariable[] = ['SQL_URL', 'SQL_CA']
const MISSING = NEEDED.find((variable) => process.env[variable] === undefined) ?? 'SQL_CA'
const POOL_SIZE = 3
const NOWHERE = 'mysql://root@localhost:1/milepost'
/** Of Node; it did not sign the certificate of a server of tests. */
const OTHER_AUTHORITY = rootCertificates[0] ?? ''

afterAll(removeTemporaryDirectories)

function fileWith(text: string): string {
  const file = path.join(temporaryDirectory(), 'ca.pem')
  writeFileSync(file, text)
  return file
}

/** What a start says that failed, without the lines of its log. */
const toldBy = (output: string) => output.replace(/^\{.*\}\n/gm, '')

describeOn(MISSING, 'TLS to MySQL or MariaDB', () => {
  const caFile = process.env.SQL_CA ?? ''
  const opened: DataSource[] = []
  let made: Made
  /** By the name that the certificate is for. */
  let url: string
  let host: string

  beforeAll(async () => {
    made = await makeSqlDatabase()
    url = (made.variables.SQL_URL ?? '').replace(/@127\.0\.0\.1(?=[:/])/, '@localhost')
    host = new URL(url).host
  })
  afterEach(async () => {
    for (const source of opened.splice(0)) await source.destroy()
  })
  afterAll(() => made.remove())

  /** @returns of each connection of the pool, how it is encrypted; nothing for one that is not */
  async function ciphersOf(options: Partial<MysqlOptions>): Promise<string[]> {
    const source = await openMysqlDataSource({ url, tls: 'on', poolSize: POOL_SIZE, ...options })
    opened.push(source)
    const runners = Array.from({ length: POOL_SIZE }, () => source.createQueryRunner())
    const answers = await Promise.all(runners.map((runner) => runner.query("SHOW STATUS LIKE 'Ssl_cipher'")))
    await Promise.all(runners.map((runner) => runner.release()))
    return answers.map(([row]) => row.Value)
  }

  const ENCRYPTED = Array(POOL_SIZE).fill(expect.stringMatching(/^[A-Z0-9_-]+$/))

  it('encrypts every connection to a server whose certificate and name are right', async () => {
    expect(await ciphersOf({ tls: 'on', caFile })).toEqual(ENCRYPTED)
  })

  it('is asked for by SQL_TLS and SQL_TLS_CA', async () => {
    const open = async (file: string) => {
      const variables = { SQL_URL: url, SQL_TLS: 'on', SQL_TLS_CA: file }
      const { store } = await openSqlRecords(parseConfig(variables), temporaryDirectory())
      await store.close()
    }
    await open(caFile)
    await expect(open(fileWith(OTHER_AUTHORITY))).rejects.toMatchObject({ exitCode: 69 })
  })

  it.each([
    ['another authority than that of SQL_TLS_CA', () => fileWith(OTHER_AUTHORITY)],
    ['an authority that Node does not trust', () => undefined],
  ])('refuses the certificate of %s', async (_, other) => {
    await expect(ciphersOf({ tls: 'on', caFile: other() })).rejects.toMatchObject({
      exitCode: 69,
      message: expect.stringMatching(new RegExp(`^cannot open mysql://${host}/\\w+: .*certificate`)),
    })
  })

  it('refuses a certificate that is for another name', async () => {
    const restore = misleadTo(new URL(url).hostname)
    try {
      const other = new URL(url)
      other.hostname = OTHER_NAME
      const refusal = await ciphersOf({ url: other.href, caFile }).catch((error: unknown) => error)
      expect(refusal).toMatchObject({
        exitCode: 69,
        message: expect.stringContaining(`does not match certificate's altnames: Host: ${OTHER_NAME}.`),
      })
      // The name does lead there.
      expect(await ciphersOf({ url: other.href, tls: 'unverified', caFile })).toEqual(ENCRYPTED)
    } finally {
      restore()
    }
  })

  it('encrypts to whoever answers when it is unverified', async () => {
    expect(await ciphersOf({ tls: 'unverified' })).toEqual(ENCRYPTED)
    expect(await ciphersOf({ tls: 'unverified', caFile: fileWith(OTHER_AUTHORITY) })).toEqual(ENCRYPTED)
  })

  it('encrypts nothing when it is off', async () => {
    expect(await ciphersOf({ tls: 'off' })).toEqual(Array(POOL_SIZE).fill(''))
  })

  it('ends the start with one line when the certificate is of another authority', async () => {
    const { code, output } = await runToEnd({
      DATA_DIR: temporaryDirectory(),
      SQL_URL: url,
      SQL_TLS: 'on',
      SQL_TLS_CA: fileWith(OTHER_AUTHORITY),
    })
    expect(code).toBe(69)
    expect(toldBy(output)).toMatch(new RegExp(`^milepost: cannot open mysql://${host}/\\w+: .*certificate.*\n$`))
  })
})

describe('TLS to MySQL or MariaDB, before the server is asked', () => {
  const opening = (options: Partial<MysqlOptions>) =>
    openMysqlDataSource({ url: NOWHERE, tls: 'on', poolSize: 2, ...options })

  it.each(['127.0.0.1', '[::1]'])('needs a name to verify, which %s is not', async (address) => {
    await expect(opening({ url: NOWHERE.replace('localhost', address) })).rejects.toMatchObject({
      exitCode: 69,
      message: `cannot open mysql://${address}:1/milepost: SQL_TLS=on verifies the name of the server, and SQL_URL has an address in its place`,
    })
  })

  it('ends the start with one line that names SQL_TLS_CA when its file is not there', async () => {
    const file = fileWith('')
    rmSync(file)
    const { code, output } = await runToEnd({
      DATA_DIR: temporaryDirectory(),
      SQL_URL: NOWHERE,
      SQL_TLS: 'on',
      SQL_TLS_CA: file,
    })
    expect(code).toBe(69)
    expect(toldBy(output)).toBe(
      `milepost: cannot open mysql://localhost:1/milepost: SQL_TLS_CA cannot be read: ENOENT: no such file or directory, open '${file}'\n`,
    )
  })

  it.each([
    ['empty', '', /^SQL_TLS_CA cannot be read: there is no certificate \(PEM\) in .*ca\.pem$/],
    ['of something else', OTHER_AUTHORITY.replaceAll('CERTIFICATE', 'PUBLIC KEY'), /there is no certificate/],
    ['spoiled', `${OTHER_AUTHORITY}\n${OTHER_AUTHORITY.replace(/\n.*\n/, '\n')}`, /^SQL_TLS_CA cannot be read: .+$/],
  ])('refuses a file of authorities that is %s', async (_, text, reason) => {
    await expect(opening({ caFile: fileWith(text) })).rejects.toMatchObject({
      exitCode: 69,
      reason: expect.stringMatching(reason),
    })
  })
})

const CAPABILITIES_WITHOUT_TLS = 0xff_f7ff

describe('a server that says it has no TLS, such as one that stands in between', () => {
  it.each(['on', 'unverified'] as const)('is told nothing when SQL_TLS is %s', async (tls) => {
    let said = 0
    const server = createServer((connection: Connection) => {
      connection.on('error', () => undefined)
      connection.serverHandshake({
        protocolVersion: 10,
        serverVersion: '8.4.0',
        connectionId: 1,
        statusFlags: 2,
        characterSet: 45,
        capabilityFlags: CAPABILITIES_WITHOUT_TLS,
      })
    })
    const { _server: socket } = server as unknown as { readonly _server: net.Server }
    socket.on('connection', (client: net.Socket) => client.on('data', () => said++))
    socket.listen(0, 'localhost')
    await once(socket, 'listening')
    const { port } = socket.address() as net.AddressInfo
    try {
      const url = `mysql://root:secret@localhost:${port}/milepost`
      await expect(openMysqlDataSource({ url, tls, poolSize: 2 })).rejects.toMatchObject({
        exitCode: 69,
        message: `cannot open mysql://localhost:${port}/milepost: database: Server does not support secure connection`,
      })
      expect(said).toBe(0)
    } finally {
      await new Promise((resolve) => socket.close(resolve))
    }
  })
})
