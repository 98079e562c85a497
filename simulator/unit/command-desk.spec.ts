import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { CommandReply } from '../../src/model/command.js'
import { ManualClock } from '../../test/simulator/manual-clock.js'
import { ScriptedLink } from '../../test/simulator/scripted-transport.js'
import { removeTemporaryDirectories, temporaryDirectory } from '../../test/support/temporary-directory.js'
import { CommandBook } from './command-book.js'
import { CommandDesk, type UnitPowers, UntoldResults } from './command-desk.js'
import { Tally } from './tally.js'
import { doneWith, type UnitCommand } from './unit-command.js'
import type { CommandLine } from './unit-transport.js'

afterAll(removeTemporaryDirectories)

const ACCEPTED = { status: 'accepted', result: null, message: null }
const CLIP = { from: '2026-05-22T10:00:00Z', to: '2026-05-22T10:00:08Z' }

/** A link over which only commands come. */
class CommandLink extends ScriptedLink {
  override readonly commands: CommandLine
  private obey: ((command: UnitCommand) => CommandReply | undefined) | undefined

  constructor() {
    super(() => undefined)
    this.commands = {
      onCommand: (obey) => {
        this.obey = obey
      },
      sendResult: () => Promise.resolve({ kind: 'unanswered' }),
    }
  }

  order(id: string, type: string, params: UnitCommand['params'] = {}): CommandReply | undefined {
    return this.obey?.({ id, type, params })
  }
}

interface Unit {
  readonly desk: CommandDesk
  readonly book: CommandBook
  readonly clock: ManualClock
  readonly link: CommandLink
  readonly obeyed: string[]
  readonly tally: Tally
  readonly failures: unknown[]
  /** The process is gone between two instructions, and started again on what it had written. */
  die(): Unit
}

const books: CommandBook[] = []
const newFile = () => path.join(temporaryDirectory(), 'unit.commands')

function start(file: string | undefined = undefined, powers: Partial<UnitPowers> = {}): Unit {
  const obeyed: string[] = []
  const failures: unknown[] = []
  const book = new CommandBook(file)
  books.push(book)
  const clock = new ManualClock()
  const tally = new Tally()
  const desk = new CommandDesk({
    book,
    clock,
    tally,
    powers: {
      restart: (kind) => void obeyed.push(kind),
      setInterval: (seconds) => void obeyed.push(`interval ${seconds}`),
      requestVideo: ({ commandId, fromMs, toMs }) => void obeyed.push(`video ${commandId} ${toMs - fromMs}`),
      ...powers,
    },
    handleChange: () => {},
    handleFailure: (error) => void failures.push(error),
  })
  desk.resume()
  const link = new CommandLink()
  desk.handleLink(link)
  const die = () => {
    desk.stop()
    return start(file, powers)
  }
  return { desk, book, clock, link, obeyed, tally, failures, die }
}

afterEach(() => {
  for (const book of books.splice(0)) book.close()
})

describe('a command that comes twice', () => {
  it('is obeyed once and answered from memory the second time', () => {
    const { link, obeyed, tally } = start()
    const first = link.order('1', 'SET_INTERVAL', { seconds: 30 })
    const second = link.order('1', 'SET_INTERVAL', { seconds: 30 })
    expect(first).toEqual({ status: 'done', result: { seconds: 30 }, message: null })
    expect(second).toEqual(first)
    expect(obeyed).toEqual(['interval 30'])
    expect(tally).toMatchObject({ commands: 1, commandsRepeated: 1 })
  })

  it('is accepted again while its work is under way, and then answered with its end', async () => {
    const { clock, desk, link, obeyed } = start()
    expect(link.order('1', 'RESET')).toEqual(ACCEPTED)
    expect(link.order('1', 'RESET')).toEqual(ACCEPTED)
    await clock.advance(250)
    expect(obeyed).toEqual(['RESET'])
    expect(link.order('1', 'RESET')).toEqual(ACCEPTED)
    const next = new CommandLink()
    desk.handleLink(next)
    expect(next.order('1', 'RESET')).toEqual({ status: 'done', result: null, message: 'restarted' })
    await clock.advance(10_000)
    expect(obeyed).toEqual(['RESET'])
  })

  it('is answered from memory by the next life of the unit', () => {
    const first = start(newFile())
    first.link.order('1', 'CUSTOM', { text: 'hello' })
    const { link, obeyed } = first.die()
    expect(link.order('1', 'CUSTOM', { text: 'something else' })).toEqual({
      status: 'done',
      result: 'hello',
      message: null,
    })
    expect(obeyed).toEqual([])
  })
})

describe('a unit that dies', () => {
  it('restarts in its next life when it died between keeping a RESET and obeying it', async () => {
    const first = start(newFile())
    first.link.order('1', 'RESET')
    await first.clock.advance(249)
    const { book, clock, obeyed } = first.die()
    expect(first.obeyed).toEqual([])
    await clock.advance(250)
    expect(obeyed).toEqual(['RESET'])
    expect(book.find('1')?.phase).toBe('begun')
  })

  it('does not restart again when it died during the restart, and tells that it is over', async () => {
    const first = start(newFile())
    first.link.order('1', 'REBOOT')
    await first.clock.advance(250)
    const { book, clock, obeyed } = first.die()
    await clock.advance(10_000)
    expect([first.obeyed, obeyed]).toEqual([['REBOOT'], []])
    expect(new UntoldResults(book).take()).toEqual({ id: '1', status: 'done', result: null, message: 'restarted' })
  })

  it('goes on with a video that was begun, under the same command', () => {
    const first = start(newFile())
    expect(first.link.order('1', 'REQUEST_VIDEO', CLIP)).toEqual(ACCEPTED)
    const second = first.die()
    expect(second.obeyed).toEqual(['video 1 8000'])
    expect(second.tally.commandsObeyed.size).toBe(0)
    second.desk.end('1', doneWith({ videoId: 'v' }))
    expect(second.die().obeyed).toEqual([])
  })

  it('obeys and tells what it had kept without answering', () => {
    const file = newFile()
    const book = new CommandBook(file)
    book.keep({ id: '1', type: 'CUSTOM', params: { text: 'hello' } })
    book.close()
    const unit = start(file)
    expect(new UntoldResults(unit.book).take()).toEqual({ id: '1', status: 'done', result: 'hello', message: null })
  })

  it('keeps the interval that it was told', () => {
    const first = start(newFile())
    first.link.order('1', 'SET_INTERVAL', { seconds: 30 })
    first.link.order('2', 'SET_INTERVAL', { seconds: 60 })
    expect(first.die().obeyed).toEqual(['interval 60'])
  })
})

describe('keeping', () => {
  it('has the command on disk before anything of it is done', () => {
    const file = newFile()
    const seen: string[] = []
    const { link } = start(file, { setInterval: () => void seen.push(readFileSync(file, 'utf8')) })
    link.order('1', 'SET_INTERVAL', { seconds: 30 })
    expect(seen).toEqual(['{"kept":{"id":"1","type":"SET_INTERVAL","params":{"seconds":30}}}\n'])
  })

  it('does and answers nothing when it cannot keep the command', () => {
    const { book, failures, link, obeyed } = start(newFile())
    book.close()
    expect(link.order('1', 'SET_INTERVAL', { seconds: 30 })).toBeUndefined()
    expect(obeyed).toEqual([])
    expect(failures).toHaveLength(1)
  })
})

describe('each type', () => {
  const failed = (message: string) => ({ status: 'failed', result: null, message })

  it.each([
    ['CUSTOM', { text: 'hello' }, { status: 'done', result: 'hello', message: null }],
    ['CUSTOM', { text: 'failure is an option' }, { status: 'done', result: 'failure is an option', message: null }],
    ['CUSTOM', { text: 'fail out of paper' }, failed('out of paper')],
    ['CUSTOM', { text: 'fail' }, failed('failed_as_asked')],
    ['CUSTOM', {}, failed('invalid_params')],
    ['SET_SERVER', { host: 'elsewhere.example', port: 1 }, failed('not_supported')],
    ['SELF_DESTRUCT', {}, failed('not_supported')],
    ['SET_INTERVAL', { seconds: 0 }, failed('invalid_params')],
    ['REQUEST_VIDEO', { from: CLIP.to, to: CLIP.from }, failed('invalid_params')],
    ['REQUEST_VIDEO', CLIP, ACCEPTED],
    ['RESET', {}, ACCEPTED],
    ['REBOOT', {}, ACCEPTED],
  ])('answers %s %j', (type, params, reply) => {
    expect(start().link.order('1', type, params)).toEqual(reply)
  })

  it('says what the unit has not got', () => {
    const { link } = start(undefined, { setInterval: undefined, requestVideo: undefined })
    expect(link.order('1', 'SET_INTERVAL', { seconds: 30 })).toEqual(failed('not_supported'))
    expect(link.order('2', 'REQUEST_VIDEO', CLIP)).toEqual(failed('no_camera'))
  })
})
