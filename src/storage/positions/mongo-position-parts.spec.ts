import type { mongo } from 'mongoose'
import type { Attributes } from '../../model/position.js'
import type { PositionDocument } from './mongo-position-document.js'
import { MongoPositionParts, type StoredPart } from './mongo-position-parts.js'

type Update = { updateOne: { filter: { _id: string; at: unknown }; update: { $set: { at: string } } } }

/** A collection of which each document may be changed by another node between a read and a write. */
class Shared {
  readonly stored = new Map<string, string | undefined>()
  reads = 0
  writes = 0
  /** What another node does before the next write. */
  meanwhile: Array<() => void> = []
  onRead: (ids: readonly string[]) => void = () => undefined

  collection(): mongo.Collection<PositionDocument> {
    const fake = {
      find: ({ _id: { $in: ids } }: { _id: { $in: string[] } }) => {
        this.reads++
        this.onRead(ids)
        const found = ids
          .filter((id) => this.stored.has(id))
          .map((_id) => ({ _id, ...(this.stored.get(_id) !== undefined && { at: this.stored.get(_id) }) }))
        return { toArray: async () => found }
      },
      bulkWrite: async (updates: Update[]) => {
        this.writes++
        this.meanwhile.shift()?.()
        return { matchedCount: updates.filter((one) => this.write(one)).length }
      },
    }
    return fake as unknown as mongo.Collection<PositionDocument>
  }

  attributes(id: string): unknown {
    const text = this.stored.get(id)
    return text === undefined ? undefined : JSON.parse(text)
  }

  private write({ updateOne: { filter, update } }: Update): boolean {
    const { _id, at } = filter
    const expected = typeof at === 'string' ? at : undefined
    if (!this.stored.has(_id) || this.stored.get(_id) !== expected) return false
    this.stored.set(_id, update.$set.at)
    return true
  }
}

const part = (index: number, id: string, attributes: Attributes | null): StoredPart => ({ index, id, attributes })

describe('parts of records in MongoDB', () => {
  let shared: Shared
  let parts: MongoPositionParts

  beforeEach(() => {
    shared = new Shared()
    parts = new MongoPositionParts(shared.collection())
  })

  it('are one read and one write, and one read when there is nothing new', async () => {
    shared.stored.set('a', '{"x":1}').set('b', undefined)
    const all = [part(0, 'b', { y: 2 }), part(1, 'a', { z: 3 }), part(2, 'b', { w: 4 })]
    expect(await parts.add(all)).toEqual(new Set())
    expect([shared.attributes('a'), shared.attributes('b')]).toEqual([
      { x: 1, z: 3 },
      { y: 2, w: 4 },
    ])
    expect([shared.reads, shared.writes]).toEqual([1, 1])
    expect(await parts.add(all)).toEqual(new Set())
    expect([shared.reads, shared.writes]).toEqual([2, 1])
  })

  it('are added to what another node added meanwhile', async () => {
    shared.stored.set('a', '{"x":1}').set('b', undefined)
    shared.meanwhile = [
      () => shared.stored.set('a', '{"x":1,"theirs":1}').set('b', '{"first":true}'),
      () => shared.stored.set('b', '{"first":true,"second":true}'),
    ]
    await parts.add([part(0, 'a', { ours: 1 }), part(1, 'b', { ours: 2 })])
    expect(shared.attributes('a')).toEqual({ x: 1, theirs: 1, ours: 1 })
    expect(shared.attributes('b')).toEqual({ first: true, second: true, ours: 2 })
    expect(shared.writes).toBe(3)
  })

  it('are nothing to a record that was removed meanwhile', async () => {
    shared.stored.set('a', '{"x":1}').set('b', '{}')
    shared.meanwhile = [() => shared.stored.delete('a')]
    await parts.add([part(0, 'a', { ours: 1 }), part(1, 'b', { ours: 2 })])
    expect([...shared.stored]).toEqual([['b', '{"ours":2}']])
  })

  it('are given up when another node changes the record again and again', async () => {
    shared.stored.set('a', '{}')
    shared.meanwhile = Array.from({ length: 30 }, (_, n) => () => {
      shared.stored.set('a', `{"theirs":${n}}`)
    })
    await expect(parts.add([part(0, 'a', { ours: 1 })])).rejects.toMatchObject({ code: 'store_unavailable' })
  })

  it('are read in statements of at most a hundred records, in the order of their ids', async () => {
    const ids = Array.from({ length: 250 }, (_, n) => `id-${String(n).padStart(3, '0')}`)
    for (const id of ids) shared.stored.set(id, undefined)
    const asked: string[][] = []
    shared.onRead = (some) => asked.push([...some])
    await parts.add([...ids].reverse().map((id, index) => part(index, id, { id })))
    expect(asked.flat()).toEqual(ids)
    expect(asked.map(({ length }) => length)).toEqual([100, 100, 50])
    expect(ids.map((id) => shared.attributes(id))).toEqual(ids.map((id) => ({ id })))
  })

  it('are refused by their indexes where the record would be too large', async () => {
    shared.stored.set('a', JSON.stringify({ x: 'x'.repeat(65_000) }))
    const all = [part(7, 'a', { y: 'y'.repeat(1000) }), part(9, 'a', { z: 1 })]
    expect(await parts.add(all)).toEqual(new Set([7]))
    expect(Object.keys(shared.attributes('a') as object)).toEqual(['x', 'z'])
  })
})
