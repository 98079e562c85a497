import type { LoggerService } from '@nestjs/common'
import { type DestinationStream, type Logger as Pino, pino } from 'pino'
import pretty from 'pino-pretty'
import type { AppConfig } from '../config/app-config.js'

type Level = 'fatal' | 'error' | 'warn' | 'info' | 'debug'

/** Nest tells what it wires together at every start; that is for those who look for it. */
const FRAMEWORK = new Set([
  'NestFactory',
  'NestApplication',
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'FastifyAdapter',
  'MiddlewareModule',
])

/** A start that fails is told by whoever starts, in one line of their own words. */
const START_FAILURES = new Set(['ExceptionHandler', 'NestApplication'])

/** Names under which a secret could come; nothing that logs uses them, this is the second line of defence. */
const SECRET_NAMES = [
  'token',
  'accessToken',
  'refreshToken',
  'authorization',
  'password',
  'secret',
  'cookie',
  'commandPassword',
]
const JWT = /\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*/g

/** Lines that may wait for a reader of the output that is slow; beyond that they are dropped, since the server goes first. */
const MAX_WAITING_BYTES = 8_388_608

/**
 * The log: one line per fact, `{time, level, event, context, …fields}` as JSON, or readable on a terminal. Callers log objects
 * `{event: 'name', …}`; a plain text becomes the field `message` of the event `note`.
 */
export class JsonLogger implements LoggerService {
  constructor(private readonly pino: Pino) {}

  log(message: unknown, ...rest: unknown[]): void {
    const context = contextOf(rest)
    this.write(context !== undefined && FRAMEWORK.has(context) ? 'debug' : 'info', message, context)
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, contextOf(rest))
  }

  /** As Nest calls it: `(message)`, `(message, stack)` or `(message, stack, context)`. */
  error(message: unknown, ...rest: unknown[]): void {
    const stack = rest.find((part): part is string => typeof part === 'string' && part.includes('\n'))
    const context = contextOf(rest.filter((part) => part !== stack))
    this.write(context !== undefined && START_FAILURES.has(context) ? 'debug' : 'error', message, context, stack)
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.write('fatal', message, contextOf(rest))
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, contextOf(rest))
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.debug(message, ...rest)
  }

  private write(level: Level, message: unknown, context: string | undefined, stack?: string): void {
    if (!this.pino.isLevelEnabled(level)) return
    const { event, ...fields } = toFields(message)
    this.pino[level]({ event, context, ...fields, ...(stack === undefined ? {} : { stack }) })
  }
}

/** @param destination where lines go instead of the standard output */
export function createLogger(config: AppConfig, destination?: DestinationStream): JsonLogger {
  const options = {
    level: config.LOG_LEVEL === 'log' ? 'info' : config.LOG_LEVEL,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: SECRET_NAMES.flatMap((name) => [name, `*.${name}`]), censor: '[hidden]' },
  }
  return new JsonLogger(pino(options, destination ?? standardOutput(config)))
}

function standardOutput({ LOG_FORMAT }: AppConfig): DestinationStream {
  const isPretty = LOG_FORMAT === 'pretty' || (LOG_FORMAT === 'auto' && process.stdout.isTTY === true)
  if (!isPretty) return pino.destination({ fd: 1, sync: false, maxLength: MAX_WAITING_BYTES })
  return prettyLines(1, process.stdout.isTTY === true)
}

/** @param destination file descriptor or stream */
export function prettyLines(destination: number | NodeJS.WritableStream, colorize: boolean): DestinationStream {
  return pretty({
    destination,
    colorize,
    sync: true,
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
    messageFormat: '{context}: {event}',
    ignore: 'context,event',
  })
}

function contextOf(rest: readonly unknown[]): string | undefined {
  const last = rest.at(-1)
  return typeof last === 'string' ? last : undefined
}

function toFields(message: unknown): Record<string, unknown> {
  if (message instanceof Error) return scrub({ event: 'error', reason: message.message, stack: message.stack })
  if (typeof message === 'object' && message !== null) return scrub({ event: 'note', ...message })
  return scrub({ event: 'note', message: String(message) })
}

/** A token that found its way into a text, such as another library's error, does not leave in it. */
function scrub(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === 'string' ? value.replace(JWT, '[hidden]') : value,
    ]),
  )
}
