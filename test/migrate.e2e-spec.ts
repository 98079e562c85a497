import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { describeOn } from './stores/describe-on.js'
import { type Made, makeSqlDatabase } from './stores/test-servers.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'

describeOn('SQL_URL', 'npm run migrate on a server', () => {
  let made: Made
  beforeEach(async () => {
    made = await makeSqlDatabase()
  })
  afterEach(() => made.remove())
  afterAll(removeTemporaryDirectories)

  async function migrate(...parameters: string[]) {
    const command = path.join(process.cwd(), 'dist/src/cli/migrate.js')
    const env = { PATH: process.env.PATH, DATA_DIR: temporaryDirectory(), ...made.variables }
    const child = spawn(process.execPath, [command, ...parameters], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    const text = { output: '', errors: '' }
    child.stdout.on('data', (chunk: Buffer) => {
      text.output += chunk.toString()
    })
    child.stderr.on('data', (chunk: Buffer) => {
      text.errors += chunk.toString()
    })
    const [code] = (await once(child, 'close')) as [number | null]
    // What Node and packages say of the version of Node is none of ours.
    const errors = text.errors.split('\n').filter((line) => line.startsWith('migrate:'))
    return { code, output: text.output, errors }
  }

  it('takes nothing back unless it is said twice, since all nodes use the tables', async () => {
    expect(await migrate()).toMatchObject({ code: 0, errors: [] })
    const { host, pathname } = new URL(made.variables.SQL_URL ?? '')

    expect(await migrate('--down')).toEqual({
      code: 64,
      output: '',
      errors: [
        `migrate: --down removes tables of mysql://${host}${pathname}, which all nodes use, with all that they hold: say --yes too`,
      ],
    })
    expect((await migrate('--status')).output).not.toContain('left')

    expect(await migrate('--down', '--yes')).toMatchObject({
      code: 0,
      output: expect.stringMatching(/^taken back: \w+\n$/),
    })
    expect((await migrate('--status')).output.match(/^left/gm)).toHaveLength(1)
  }, 60_000)
})
