import 'reflect-metadata'
import { Logger } from '@nestjs/common'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { createApp } from './app.js'
import type { AppConfig } from './config/app-config.js'
import { describePort } from './config/port-use.js'
import { readConfig } from './config/read-config.js'
import { FirstAdmin } from './identity/first-admin.js'

/** EX_UNAVAILABLE of sysexits.h. */
const EXIT_UNAVAILABLE = 69

// What the stores make is for the owner only, also in a data directory that was there before.
process.umask(0o077)
let config: AppConfig | undefined
try {
  config = readConfig()
  await start(await createApp(config), config)
} catch (error) {
  failToStart(error, config)
}

async function start(app: NestFastifyApplication, config: AppConfig): Promise<void> {
  try {
    await app.listen(config.PORT, config.HOST)
    const password = await app.get(FirstAdmin).ensure()
    stopOnSignals(app, config)
    announce(await app.getUrl(), config, password)
  } catch (error) {
    // The stores' threads must end before the process does: ending it under them aborts it without words.
    await app.close()
    throw error
  }
}

function stopOnSignals(app: NestFastifyApplication, config: AppConfig): void {
  let isStopping = false
  const stop = () => {
    if (isStopping) return
    isStopping = true
    setTimeout(() => {
      process.stderr.write('milepost: could not finish in time, stopping anyway\n')
      process.exit(1)
    }, config.SHUTDOWN_GRACE_S * 1000).unref()
    app.close().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`milepost: the stop failed: ${String(error)}\n`)
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
}

function announce(url: string, config: AppConfig, password: string | undefined): void {
  const shown = url.replace('[::]', '127.0.0.1').replace('0.0.0.0', '127.0.0.1')
  const lines = [`Milepost listens on ${shown}`, `Swagger UI: ${shown}/docs`]
  if (config.DEVICE_ENROLMENT === 'open') {
    lines.push('WARNING: DEVICE_ENROLMENT=open, any valid IMEI is registered on its first login')
  }
  if (password !== undefined) lines.push(`First start: log in as admin with the password ${password} (shown only now)`)
  process.stdout.write(`${lines.join('\n')}\n`)
  new Logger('main').log({ event: 'started', url, node: process.version })
}

/** Ends the process with one clear line and the exit code of the reason. */
function failToStart(error: unknown, config: AppConfig | undefined): never {
  const { code, line } = explain(error, config)
  process.stderr.write(`milepost: ${line}\n`)
  process.exit(code)
}

/** Errors that a person can mend carry their exit code and one line of words; anything else is a defect and shows its stack. */
function explain(error: unknown, config: AppConfig | undefined): { code: number; line: string } {
  const { exitCode, code, message, port, stack } = error as NodeJS.ErrnoException & {
    exitCode?: unknown
    port?: number
  }
  if (typeof exitCode === 'number') return { code: exitCode, line: message }
  if (code === 'EADDRINUSE')
    return { code: EXIT_UNAVAILABLE, line: `${describePort(port, config)} is in use: ${message}` }
  if (code === 'EACCES' || code === 'EADDRNOTAVAIL')
    return { code: EXIT_UNAVAILABLE, line: `cannot listen on ${describePort(port, config)}: ${message}` }
  return { code: 1, line: stack ?? String(error) }
}
