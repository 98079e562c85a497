import { TrackerAttributes } from './tracker-attributes.js'

describe('attributes of a tracker', () => {
  it('keep every repetition of an element under a name of its own', () => {
    const attributes = new TrackerAttributes()
    attributes.addElement(7, Buffer.of(1), undefined)
    attributes.add('io.7.2', 'of the protocol')
    for (const value of [2, 3]) attributes.addElement(7, Buffer.of(value), undefined)
    expect(attributes.toAttributes()).toEqual({ 'io.7': 1, 'io.7.2': 'of the protocol', 'io.7.3': 2, 'io.7.4': 3 })
  })

  it('take time that grows with the number of repetitions, and not with its square', () => {
    const raw = Buffer.of(1)
    const startedMs = performance.now()
    const attributes = new TrackerAttributes()
    for (let i = 0; i < 100_000; i++) attributes.addElement(7, raw, undefined)
    expect(Object.keys(attributes.toAttributes() ?? {}).length).toBe(100_000)
    expect(performance.now() - startedMs).toBeLessThan(5000)
  })
})
