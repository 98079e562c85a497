import { existsSync, statSync } from 'node:fs'
import path from 'node:path'
import { z } from 'zod'
import { removeTemporaryDirectories, temporaryDirectory } from '../../test/support/temporary-directory.js'
import { DurableQueue } from './durable-queue.js'

afterAll(removeTemporaryDirectories)

const Item = z.object({ key: z.string(), text: z.string() })
type Item = z.infer<typeof Item>

const opened: Array<DurableQueue<Item>> = []
const newFile = () => path.join(temporaryDirectory(), 'unit.alarms')

function open(file?: string): DurableQueue<Item> {
  const queue = new DurableQueue(Item, ({ key }) => key, file)
  opened.push(queue)
  return queue
}

const item = (key: string, text = ''): Item => ({ key, text })

function takeAll(queue: DurableQueue<Item>): string[] {
  const keys: string[] = []
  for (let next = queue.take(); next !== undefined; next = queue.take()) keys.push(next.key)
  return keys
}

afterEach(() => {
  for (const queue of opened.splice(0)) queue.close()
})

describe('DurableQueue', () => {
  it('gives out each item once until it is given back, the oldest first', () => {
    const queue = open()
    for (const key of ['a', 'b', 'c']) queue.add(item(key))
    expect(takeAll(queue)).toEqual(['a', 'b', 'c'])
    queue.giveBack(item('c'))
    queue.giveBack(item('a'))
    expect([queue.pending, queue.waiting]).toEqual([3, 2])
    expect(takeAll(queue)).toEqual(['a', 'c'])
  })

  it('takes no second item of one key while the first is pending', () => {
    const queue = open()
    expect([queue.add(item('a', 'first')), queue.add(item('a', 'second'))]).toEqual([true, false])
    expect(queue.take()).toEqual(item('a', 'first'))
  })

  it('has after a restart what was not settled, taken or not', () => {
    const file = newFile()
    const before = open(file)
    for (const key of ['a', 'b', 'c']) before.add(item(key, 'whole'))
    before.settle(item('b'))
    before.take()
    const after = open(file)
    expect([after.take(), after.take(), after.take()]).toEqual([item('a', 'whole'), item('c', 'whole'), undefined])
  })

  it('leaves no file when nothing is pending, and keeps it otherwise', () => {
    const file = newFile()
    const queue = open(file)
    expect(existsSync(file)).toBe(false)
    queue.add(item('a'))
    queue.close()
    expect(existsSync(file)).toBe(true)
    const next = open(file)
    next.settle(item('a'))
    next.close()
    expect(existsSync(file)).toBe(false)
  })

  it('does not grow on disk with what is settled', () => {
    const file = newFile()
    const queue = open(file)
    for (let number = 0; number < 1000; number++) {
      queue.add(item(String(number), 'x'.repeat(1000)))
      queue.settle(item(String(number)))
    }
    expect(statSync(file).size).toBeLessThan(2 ** 16 + 2000)
  })
})
