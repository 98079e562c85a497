import { appendFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { removeTemporaryDirectories, temporaryDirectory } from '../../test/support/temporary-directory.js'
import { CommandBook } from './command-book.js'
import { JournalError } from './line-file.js'
import { doneWith } from './unit-command.js'

afterAll(removeTemporaryDirectories)

const opened: CommandBook[] = []
const newFile = () => path.join(temporaryDirectory(), 'unit.commands')

function open(file: string): CommandBook {
  const book = new CommandBook(file)
  opened.push(book)
  return book
}

function endMany(book: CommandBook, count: number, result: unknown = null): void {
  for (let number = 0; number < count; number++) {
    book.keep({ id: `custom-${number}`, type: 'CUSTOM', params: {} })
    book.end(`custom-${number}`, doneWith(result), true)
  }
}

afterEach(() => {
  for (const book of opened.splice(0)) book.close()
})

describe('CommandBook', () => {
  it('knows after a restart how far each command was', () => {
    const file = newFile()
    const before = open(file)
    for (const id of ['kept', 'begun', 'ended', 'told']) before.keep({ id, type: 'RESET', params: { of: id } })
    for (const id of ['begun', 'ended', 'told']) before.begin(id)
    before.end('ended', doneWith({ some: ['thing'] }, 'words'), false)
    before.end('told', doneWith(null), false)
    before.noteTold('told')
    const after = open(file)
    expect(after.listUnfinished().map(({ command, phase }) => [command, phase])).toEqual([
      [{ id: 'kept', type: 'RESET', params: { of: 'kept' } }, 'kept'],
      [{ id: 'begun', type: 'RESET', params: { of: 'begun' } }, 'begun'],
    ])
    expect(after.listUntold().map(({ end }) => end)).toEqual([doneWith({ some: ['thing'] }, 'words')])
    expect(after.find('told')).toMatchObject({ phase: 'ended', isTold: true })
  })

  it('forgets a line that the end of the process tore, and goes on after it', () => {
    const file = newFile()
    open(file).keep({ id: '1', type: 'CUSTOM', params: {} })
    appendFileSync(file, '{"begun":"')
    open(file).begin('1')
    expect(open(file).find('1')?.phase).toBe('begun')
  })

  it('refuses a damaged file by name', () => {
    const file = newFile()
    appendFileSync(file, 'garbage\n')
    expect(() => open(file)).toThrow(
      new JournalError(`${file} is damaged at byte 0: move it away to start without its records`),
    )
  })

  it('remembers the latest thousand, what is not over, and the setting', () => {
    const book = open(newFile())
    book.keep({ id: 'setting', type: 'SET_INTERVAL', params: { seconds: 5 } })
    book.end('setting', doneWith(null), true)
    book.keep({ id: 'unfinished', type: 'REQUEST_VIDEO', params: {} })
    endMany(book, 1200)
    expect(book.findLastDone('SET_INTERVAL')?.params).toEqual({ seconds: 5 })
    expect(book.listUnfinished()).toHaveLength(1)
    expect(book.find('custom-201')).toBeUndefined()
    expect(book.find('custom-202')?.phase).toBe('ended')
  })

  it('does not grow on disk with what it has forgotten', () => {
    const file = newFile()
    endMany(open(file), 3000, 'x'.repeat(1000))
    expect(statSync(file).size).toBeLessThan(2.5 * 2 ** 20)
    expect(open(file).find('custom-2999')?.end?.result).toHaveLength(1000)
  })
})
