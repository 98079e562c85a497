import { Writable } from 'node:stream'
import { Logger } from '@nestjs/common'
import { pino } from 'pino'
import { parseConfig } from '../config/app-config.js'
import { createLogger, JsonLogger, prettyLines } from './json-logger.js'

describe('JsonLogger', () => {
  let lines: string[]
  const loggerAt = (LOG_LEVEL: string) => {
    lines = []
    Logger.overrideLogger(createLogger(parseConfig({ LOG_LEVEL }), { write: (line: string) => lines.push(line) }))
  }
  const parsed = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  const withoutTime = () => parsed().map(({ time: _, ...rest }) => rest)

  afterEach(() => Logger.overrideLogger(false))

  it('writes one JSON object a line: time, level, event, context and the fields', () => {
    loggerAt('log')
    const before = Date.now()
    new Logger('pipeline').log({ event: 'stopped', waiting: 3 })
    expect(lines[0]).toMatch(
      /^\{"level":"info","time":"[^"]+Z","event":"stopped","context":"pipeline","waiting":3\}\n$/,
    )
    const at = Date.parse(String(parsed()[0]?.time))
    expect(at).toBeGreaterThanOrEqual(before)
    expect(at).toBeLessThanOrEqual(Date.now())
  })

  it('names levels info, warn, error, fatal and debug', () => {
    loggerAt('debug')
    const logger = new Logger('x')
    logger.log({ event: 'a' })
    logger.warn({ event: 'b' })
    logger.error({ event: 'c' })
    logger.fatal({ event: 'd' })
    logger.debug({ event: 'e' })
    logger.verbose({ event: 'f' })
    expect(parsed().map(({ level, event, context }) => [level, event, context])).toEqual([
      ['info', 'a', 'x'],
      ['warn', 'b', 'x'],
      ['error', 'c', 'x'],
      ['fatal', 'd', 'x'],
      ['debug', 'e', 'x'],
      ['debug', 'f', 'x'],
    ])
  })

  it.each([
    ['error', ['error']],
    ['warn', ['warn', 'error']],
    ['log', ['info', 'warn', 'error']],
    ['debug', ['debug', 'info', 'warn', 'error']],
  ])('at LOG_LEVEL %s writes %p', (level, expected) => {
    loggerAt(level)
    const logger = new Logger('x')
    logger.debug({ event: 'a' })
    logger.log({ event: 'a' })
    logger.warn({ event: 'a' })
    logger.error({ event: 'a' })
    expect(parsed().map((line) => line.level)).toEqual(expected)
  })

  it('keeps what Nest says of its own start for debug, and its errors at their level', () => {
    loggerAt('log')
    new Logger('RouterExplorer').log('Mapped {/x, GET} route')
    new Logger('NestFactory').error('cannot start', 'Error: x\n    at y')
    expect(withoutTime()).toEqual([
      { level: 'error', event: 'note', context: 'NestFactory', message: 'cannot start', stack: 'Error: x\n    at y' },
    ])
    loggerAt('debug')
    new Logger('RouterExplorer').log('Mapped {/x, GET} route')
    expect(withoutTime()).toEqual([
      { level: 'debug', event: 'note', context: 'RouterExplorer', message: 'Mapped {/x, GET} route' },
    ])
  })

  it('leaves a start that fails to the one who starts', () => {
    loggerAt('log')
    new Logger('ExceptionHandler').error(new Error('no database'))
    expect(lines).toEqual([])
  })

  it('takes an error and a stack without a context', () => {
    loggerAt('log')
    const error = new Error('broken')
    Logger.error(error, error.stack)
    expect(withoutTime()).toEqual([{ level: 'error', event: 'error', reason: 'broken', stack: error.stack }])
  })

  it('hides secrets, wherever they stand', () => {
    loggerAt('log')
    const jwt = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.c2ln-_x'
    new Logger('x').warn({
      event: 'refused',
      token: 'abc',
      password: 'abc',
      headers: { authorization: `Bearer ${jwt}`, host: 'example.com' },
      entry: { secret: 'abc' },
      reason: `cannot read ${jwt} here`,
    })
    expect(withoutTime()).toEqual([
      {
        level: 'warn',
        event: 'refused',
        context: 'x',
        token: '[hidden]',
        password: '[hidden]',
        headers: { authorization: '[hidden]', host: 'example.com' },
        entry: { secret: '[hidden]' },
        reason: 'cannot read [hidden] here',
      },
    ])
    expect(lines.join()).not.toContain('eyJ')
  })

  it('is readable on a terminal', () => {
    let text = ''
    const stream = new Writable({
      write(chunk: Buffer, _encoding, done) {
        text += chunk.toString()
        done()
      },
    })
    const logger = new JsonLogger(pino({ base: null }, prettyLines(stream, false)))
    logger.log({ event: 'stopped', waiting: 3 }, 'pipeline')
    expect(text).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: pipeline: stopped \{"waiting":3\}\n$/)
  })
})
