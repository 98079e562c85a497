import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { removeTemporaryDirectories, temporaryDirectory } from '../../test/support/temporary-directory.js'
import type { Fix } from '../drives/drive.js'
import { Journal } from './journal.js'
import { JournalError } from './line-file.js'

afterAll(removeTemporaryDirectories)

const opened: Journal[] = []

function open(file: string): Journal {
  const journal = Journal.open(file)
  opened.push(journal)
  return journal
}

const newFile = () => path.join(temporaryDirectory(), 'unit.journal')

function fixes(from: number, count: number): Fix[] {
  return Array.from({ length: count }, (_, index) => ({
    timeMs: from + index,
    latitude: 48.1,
    longitude: 11.5,
    altitudeM: null,
    speedKmh: 50,
    headingDeg: 90,
    satellites: null,
  }))
}

const seqsOf = (journal: Journal, limit = 100_000) => journal.read(limit).map(({ seq }) => seq)

afterEach(() => {
  for (const journal of opened.splice(0)) journal.close()
})

describe('Journal', () => {
  it('gives out after a restart what was not settled, in order and whole', () => {
    const file = newFile()
    const before = open(file)
    before.append(fixes(1000, 6), true)
    before.settle([0, 1, 4])
    const after = open(file)
    expect(after.unread).toBe(3)
    expect(after.nextSeq).toBe(6)
    expect(after.read(100)).toEqual([
      { seq: 2, fix: fixes(1002, 1)[0] },
      { seq: 3, fix: fixes(1003, 1)[0] },
      { seq: 5, fix: fixes(1005, 1)[0] },
    ])
    expect(after.read(100)).toEqual([])
  })

  it('gives out in pieces what was appended unheld, and nothing twice', () => {
    const journal = open(newFile())
    journal.append(fixes(0, 3), true)
    journal.append(fixes(3, 5), false)
    journal.settle([0, 1, 2])
    journal.append(fixes(8, 1), false)
    expect(journal.unread).toBe(6)
    expect([seqsOf(journal, 2), seqsOf(journal, 3), seqsOf(journal, 9), seqsOf(journal, 9)]).toEqual([
      [3, 4],
      [5, 6, 7],
      [8],
      [],
    ])
  })

  it('cuts off a line that a sudden end tore, and goes on behind it', () => {
    const file = newFile()
    open(file).append(fixes(0, 2), true)
    appendFileSync(file, '{"seq":2,"fix":{"timeMs":2,"lat')
    const after = open(file)
    expect(after.nextSeq).toBe(2)
    after.append(fixes(2, 1), true)
    expect(seqsOf(open(file))).toEqual([0, 1, 2])
  })

  it('refuses a journal that is damaged in the middle, naming the place', () => {
    const file = newFile()
    open(file).append(fixes(0, 2), true)
    const [first = '', second] = readFileSync(file, 'utf8').split('\n')
    writeFileSync(file, `${first}\n${second?.slice(3)}\n`)
    expect(() => open(file)).toThrow(JournalError)
    expect(() => open(file)).toThrow(`${file} is damaged at byte ${first.length + 1}`)
  })

  it('knows after a restart which plan it was on, and at which step', () => {
    const file = newFile()
    const before = open(file)
    before.append(fixes(0, 2), true)
    before.begin('plan-a', 1234)
    before.append(fixes(2, 3), true)
    const after = open(file)
    expect(after.run).toEqual({ plan: 'plan-a', originMs: 1234, firstSeq: 2 })
    expect(after.nextSeq - (after.run?.firstSeq ?? 0)).toBe(3)
  })

  it('starts the file anew when it has grown and nothing is pending, keeping plan and numbers', () => {
    const file = newFile()
    const journal = open(file)
    journal.begin('plan-a', 1)
    journal.append(fixes(0, 10_000), true)
    journal.settle(Array.from({ length: 10_000 }, (_, seq) => seq))
    expect(statSync(file).size).toBeGreaterThan(1_000_000)
    journal.compact()
    expect(statSync(file).size).toBeLessThan(200)
    journal.append(fixes(10_000, 1), true)
    const after = open(file)
    expect(after.run).toEqual({ plan: 'plan-a', originMs: 1, firstSeq: 0 })
    expect(seqsOf(after)).toEqual([10_000])
  })

  it('is read by its owner only', () => {
    const file = newFile()
    open(file).append(fixes(0, 1), true)
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })
})
