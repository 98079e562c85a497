import path from 'node:path'
import { removeTemporaryDirectories, temporaryDirectory } from '../../test/support/temporary-directory.js'
import type { Fix } from '../drives/drive.js'
import { Journal } from './journal.js'
import { Outbox, type OutboxEntry } from './outbox.js'

afterAll(removeTemporaryDirectories)

const newFile = () => path.join(temporaryDirectory(), 'unit.journal')

function fixAt(timeMs: number): Fix {
  return { timeMs, latitude: 0, longitude: 0, altitudeM: null, speedKmh: null, headingDeg: null, satellites: null }
}

const fixes = (from: number, count: number) => Array.from({ length: count }, (_, index) => fixAt(from + index))
const timesOf = (entries: readonly OutboxEntry[]) => entries.map(({ fix }) => fix.timeMs)

describe('Outbox', () => {
  it('gives the oldest first, and what was given back before what is newer', () => {
    const outbox = new Outbox()
    outbox.add(fixes(0, 6))
    const first = outbox.take(2)
    const second = outbox.take(2)
    outbox.giveBack(second)
    outbox.giveBack(first)
    expect(timesOf(outbox.take(5))).toEqual([0, 1, 2, 3, 4])
    expect(first.map(({ tries }) => tries)).toEqual([0, 0])
  })

  it('counts how often a record was taken before', () => {
    const outbox = new Outbox()
    outbox.add(fixes(0, 1))
    outbox.giveBack(outbox.take(1))
    outbox.giveBack(outbox.take(1))
    expect(outbox.take(1).map(({ tries }) => tries)).toEqual([2])
  })

  it('lets nothing go but by settling', () => {
    const outbox = new Outbox()
    outbox.add(fixes(0, 3))
    const taken = outbox.take(2)
    expect([outbox.pending, outbox.waiting]).toEqual([3, 1])
    outbox.giveBack(taken)
    expect([outbox.pending, outbox.waiting]).toEqual([3, 3])
    outbox.settle(outbox.take(3))
    expect([outbox.pending, outbox.waiting]).toEqual([0, 0])
  })

  it('never takes two records of one moment together', () => {
    const outbox = new Outbox()
    outbox.add([fixAt(1), fixAt(2), fixAt(1), fixAt(3), fixAt(3)])
    expect([outbox.take(10), outbox.take(10), outbox.take(10)].map(timesOf)).toEqual([[1, 2], [1, 3], [3]])
  })

  it('holds a long backlog on disk and gives out every record once, in order', () => {
    const journal = Journal.open(newFile())
    const outbox = new Outbox(journal)
    for (let from = 0; from < 20_000; from += 1000) outbox.add(fixes(from, 1000))
    expect(outbox.waiting).toBe(20_000)
    expect(journal.unread).toBe(15_000)
    const seen: number[] = []
    while (outbox.waiting > 0) {
      const taken = outbox.take(700)
      seen.push(...timesOf(taken))
      outbox.settle(taken)
    }
    expect(seen).toEqual(Array.from({ length: 20_000 }, (_, index) => index))
    expect(outbox.pending).toBe(0)
    journal.close()
  })

  it('finds after a restart everything that was not settled, taken or not', () => {
    const file = newFile()
    const before = new Outbox(Journal.open(file))
    before.add(fixes(0, 10))
    const taken = before.take(4)
    before.settle(taken.slice(0, 2))
    const after = new Outbox(Journal.open(file))
    expect(after.pending).toBe(8)
    expect(timesOf(after.take(100))).toEqual([2, 3, 4, 5, 6, 7, 8, 9])
  })

  it('keeps none of the records when the journal cannot be written', () => {
    const journal = Journal.open(newFile())
    const outbox = new Outbox(journal)
    journal.close()
    expect(() => outbox.add(fixes(0, 2))).toThrow(/unit\.journal is closed/)
    expect([outbox.pending, outbox.nextSeq]).toEqual([0, 0])
  })
})
