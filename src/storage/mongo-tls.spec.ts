import { lookup } from 'node:dns/promises'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { rootCertificates } from 'node:tls'
import { describeOn } from '../../test/stores/describe-on.js'
import { misleadTo, OTHER_NAME } from '../../test/stores/misled-names.js'
import type { ServerVariable } from '../../test/stores/test-servers.js'
import { runToEnd } from '../../test/support/server-process.js'
import { removeTemporaryDirectories, temporaryDirectory } from '../../test/support/temporary-directory.js'
import { type MongoConnection, openMongoConnection } from './mongo-connection.js'

const NEEDED: readonly ServerVariable[] = ['MONGO_URL', 'MONGO_TLS_URL', 'MONGO_CA']
const MISSING = NEEDED.find((variable) => process.env[variable] === undefined) ?? 'MONGO_TLS_URL'
/** What stands before the host in a URL, and the host. */
const HOST = /^(mongodb:\/\/(?:[^/]*@)?)([^/:,]+)/

afterAll(removeTemporaryDirectories)

describeOn(MISSING, 'TLS to MongoDB', () => {
  const url = process.env.MONGO_TLS_URL ?? ''
  const caFile = process.env.MONGO_CA ?? ''
  const host = HOST.exec(url)?.[2] ?? ''
  const opened: MongoConnection[] = []

  afterEach(async () => {
    for (const connection of opened.splice(0)) await connection.close()
  })

  const at = (other: string) => url.replace(HOST, `$1${other}`)
  const verified = (file: string, to = url) => `${to}&tlsCAFile=${encodeURIComponent(file)}`

  async function open(to: string): Promise<MongoConnection> {
    const connection = await openMongoConnection({ url: to })
    opened.push(connection)
    return connection
  }

  /** Of Node; it did not sign the certificate of a server of tests. */
  function otherAuthority(): string {
    const file = path.join(temporaryDirectory(), 'ca.pem')
    writeFileSync(file, rootCertificates[0] ?? '')
    return file
  }

  const refusal = (words: string) => ({ exitCode: 69, reason: expect.stringContaining(words) })

  it('takes a server whose certificate and name are right, on every connection', async () => {
    const connection = await open(verified(caFile))
    expect(await connection.withPatience((database) => database.command({ ping: 1 }))).toMatchObject({ ok: 1 })
  })

  it('is all that the server of these tests speaks', async () => {
    await expect(open(url.replace('tls=true', 'tls=false'))).rejects.toMatchObject({ exitCode: 69 })
  })

  it('refuses the certificate of another authority than that of tlsCAFile', async () => {
    await expect(open(verified(otherAuthority()))).rejects.toMatchObject(refusal('certificate'))
  })

  it('refuses the certificate of an authority that Node does not trust', async () => {
    await expect(open(url)).rejects.toMatchObject(refusal('certificate'))
  })

  it('refuses a certificate that is for another name', async () => {
    const restore = misleadTo(host)
    try {
      const other = verified(caFile, at(OTHER_NAME))
      const words = `does not match certificate's altnames: Host: ${OTHER_NAME}.`
      await expect(open(other)).rejects.toMatchObject(refusal(words))
      // The name does lead there.
      await open(`${other}&tlsAllowInvalidHostnames=true`)
    } finally {
      restore()
    }
  })

  it('refuses a certificate that is not for the address', async () => {
    const { address } = await lookup(host, 4)
    const words = `does not match certificate's altnames: IP: ${address} is not in`
    await expect(open(verified(caFile, at(address)))).rejects.toMatchObject(refusal(words))
  })

  it('names the file of tlsCAFile when it is not there', async () => {
    const file = path.join(temporaryDirectory(), 'none.pem')
    const words = `ENOENT: no such file or directory, open '${file}'`
    await expect(open(verified(file))).rejects.toMatchObject(refusal(words))
  })

  it('ends the start with one line when the certificate is of another authority', async () => {
    const { code, output } = await runToEnd({ DATA_DIR: temporaryDirectory(), MONGO_URL: verified(otherAuthority()) })
    expect(code).toBe(69)
    expect(output.replace(/^\{.*\}\n/gm, '')).toMatch(
      /^milepost: cannot open mongodb:\/\/[^/]+\/\w+: .*certificate.*\n$/,
    )
  })
})
