import { preferredWaitS } from './prefer-wait.js'

describe('Prefer: wait', () => {
  it.each([
    ['wait=10', 10],
    ['wait=0', 0],
    ['wait=30', 30],
    ['wait=31', 30],
    ['wait=99999999999999999999', 30],
    ['Wait = 5', 5],
    ['wait="7"', 7],
    ['respond-async, wait=10', 10],
    ['respond-async,wait=10;foo="a,b", handling=lenient', 10],
    ['foo="x, wait=3", wait=4', 4],
    ['foo="\\", wait=3", wait=4', 4],
    ['wait=5, wait=9', 5],
    [' wait=08 ', 8],
    ['wait=6; ', 6],
  ])('is %j: %d seconds', (header, seconds) => {
    expect(preferredWaitS(header)).toBe(seconds)
  })

  it.each([
    [undefined],
    [''],
    ['wait'],
    ['wait='],
    ['wait=ten'],
    ['wait=-1'],
    ['wait=1.5'],
    ['wait=1 0'],
    ['wait:10'],
    ['waiting=10'],
    ['wait=x, wait=9'],
    ['return=minimal'],
    ['foo="wait=3'],
    [`wait=10${' '.repeat(1000)}`],
  ])('is not there in %j', (header) => {
    expect(preferredWaitS(header)).toBeUndefined()
  })

  it('is looked for in a hostile header without delay', () => {
    const startedMs = performance.now()
    preferredWaitS(`wait=1${';'.repeat(490)}${' \t'.repeat(250)}"`)
    preferredWaitS(`a${' ;='.repeat(330)}"`)
    expect(performance.now() - startedMs).toBeLessThan(100)
  })
})
