import { text } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { Logger } from '@nestjs/common'
import type { AppConfig } from '../config/app-config.js'
import { readConfig } from '../config/read-config.js'
import { AuditLog } from '../identity/audit-log.js'
import { FIRST_ADMIN, generatePassword } from '../identity/first-admin.js'
import { PasswordHasher } from '../identity/password-hasher.js'
import { PasswordReset } from '../identity/password-reset.js'
import { MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH } from '../identity/user-name.js'
import { RECHECK_MS } from '../identity/user-session-directory.js'
import { prepareDataDirectory } from '../storage/data-directory.js'
import { openSqlRecords } from '../storage/sql/open-sql-records.js'

/** EX_USAGE, EX_DATAERR and EX_NOUSER of sysexits.h. */
const EXIT = { usage: 64, password: 65, noUser: 67 } as const

const USAGE = `npm run admin:password [-- --user NAME] [--stdin]

Sets a new password of a user (admin, if no name is given), enables the user again and ends their sessions; creates admin if
there is none. Works while the server runs and while it does not.

  --user NAME   whose password
  --stdin       take the password from the first line of standard input; otherwise a random one is made and printed
`

/** A reason to stop that the person at the keyboard can mend. */
class Refusal extends Error {
  constructor(
    message: string,
    readonly exitCode: number,
  ) {
    super(message)
  }
}

async function run(): Promise<string> {
  const { user = FIRST_ADMIN, stdin, help } = readArguments()
  if (help) return USAGE
  const password = stdin ? await readPassword() : generatePassword()
  const outcome = await reset(readConfig(), user, password)
  if (outcome === 'unknown') throw new Refusal(`there is no user ${JSON.stringify(user)}`, EXIT.noUser)
  const shown = stdin ? '' : `${user} logs in with the password ${password} (shown only now)\n`
  const made = outcome === 'created' ? `user ${user} created, an admin\n` : ''
  return `${made}${shown}sessions are ended; a running server sees that within ${RECHECK_MS / 1000} s\n`
}

function readArguments() {
  try {
    const options = {
      user: { type: 'string' },
      stdin: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    } as const
    return parseArgs({ options }).values
  } catch (error) {
    throw new Refusal(`${(error as Error).message}\n\n${USAGE}`, EXIT.usage)
  }
}

async function readPassword(): Promise<string> {
  const [password = ''] = (await text(process.stdin)).split(/\r?\n/, 1)
  if (password.length >= MIN_PASSWORD_LENGTH && password.length <= MAX_PASSWORD_LENGTH) return password
  throw new Refusal(`a password has ${MIN_PASSWORD_LENGTH} to ${MAX_PASSWORD_LENGTH} characters`, EXIT.password)
}

async function reset(config: AppConfig, username: string, password: string) {
  const directory = prepareDataDirectory(config.DATA_DIR)
  const records = await openSqlRecords(config, directory)
  try {
    const resets = new PasswordReset(
      records.users,
      await PasswordHasher.create(),
      new AuditLog(records.audit, records.store),
    )
    return await resets.reset(username, password)
  } finally {
    await records.store.close()
  }
}

Logger.overrideLogger(['error'])
try {
  process.stdout.write(await run())
} catch (error) {
  const { exitCode, message, stack } = error as Error & { exitCode?: unknown }
  const isExpected = typeof exitCode === 'number'
  process.stderr.write(`admin:password: ${isExpected ? message : (stack ?? message)}\n`)
  process.exitCode = isExpected ? exitCode : 1
}
