import fc from 'fast-check'
import { LiveEvent } from './live-event.js'
import { isWanted, parseWatch } from './watch-filter.js'
import { Watcher, type Wire } from './watcher.js'
import { Watchers } from './watchers.js'

const wire: Wire = { isOpen: true, isDrained: true, send: () => undefined }
const newWatcher = () => new Watcher(wire)

const positionOf = (deviceId: string, longitude: number, latitude: number) =>
  new LiveEvent('position', deviceId, deviceId, { latitude, longitude }, () => ({}))

function visited(watchers: Watchers, event: LiveEvent): Watcher[] {
  const found: Watcher[] = []
  watchers.forEach(event, (watcher) => found.push(watcher))
  return found
}

describe('Watchers', () => {
  const degree = (max: number) => fc.oneof(fc.integer({ min: -max, max }), fc.double({ min: -max, max, noNaN: true }))
  const box = fc
    .tuple(degree(180), degree(90), degree(180), degree(90))
    .map(([west, a, east, b]) => [west, Math.min(a, b), east, Math.max(a, b)])
  const filter = fc.record({ bbox: box, deviceIds: fc.array(fc.constantFrom('a', 'b', 'c')) }, { requiredKeys: [] })
  const place = fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), degree(180), degree(90))

  it('finds exactly those who want an event, once each, whatever they watched before', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(filter, { maxLength: 3 }), { maxLength: 8 }),
        fc.array(place),
        (histories, places) => {
          const watchers = new Watchers()
          const all = histories.map((filters) => {
            const watcher = newWatcher()
            watchers.add(watcher)
            for (const payload of filters) watchers.watch(watcher, parseWatch(payload))
            return watcher
          })
          const presences = ['a', 'd'].map((id) => new LiveEvent('presence', id, id, undefined, () => ({})))
          for (const event of [...places.map((one) => positionOf(...one)), ...presences]) {
            const wanting = all.filter((watcher) => isWanted(watcher.filter, event))
            const found = visited(watchers, event)
            expect(found).toHaveLength(wanting.length)
            expect(new Set(found)).toEqual(new Set(wanting))
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  it('keeps nothing of a watcher that is gone', () => {
    const watchers = new Watchers()
    for (const payload of [{}, { deviceIds: ['a'] }, { bbox: [0, 0, 1, 1] }, { bbox: [-180, -90, 180, 90] }]) {
      const watcher = newWatcher()
      watchers.add(watcher)
      watchers.watch(watcher, parseWatch(payload))
      watchers.remove(watcher)
      watchers.watch(watcher, {})
    }
    expect(watchers.size).toBe(0)
    expect(visited(watchers, positionOf('a', 0.5, 0.5))).toEqual([])
    const maps = Object.values(watchers).filter((value) => value instanceof Map || value instanceof Set)
    expect(maps.map(({ size }) => size)).toEqual([0, 0, 0, 0, 0])
  })

  it('does not look at watchers of other places and devices', () => {
    const watchers = new Watchers()
    let looks = 0
    const addOne = (payload: unknown) => {
      const watcher = newWatcher()
      watchers.add(watcher)
      watchers.watch(watcher, parseWatch(payload))
      const { filter } = watcher
      Object.defineProperty(watcher, 'filter', {
        get: () => {
          looks += 1
          return filter
        },
      })
    }
    for (let index = 0; index < 500; index++) {
      addOne({ deviceIds: [`truck-${index}`] })
      addOne({ bbox: [(index % 340) - 170, 10, (index % 340) - 169.5, 11] })
    }
    for (let index = 0; index < 5000; index++) visited(watchers, positionOf(`other-${index}`, 11.5, 48))
    expect(looks).toBe(0)
    visited(watchers, positionOf('truck-7', 11.5, 48))
    expect(looks).toBe(1)
  })
})
