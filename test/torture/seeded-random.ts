/** Numbers in [0, 1) that repeat for the same seed (a 32-bit xorshift generator), so that a failing run can be run again. */
export function seededRandom(seed: number): () => number {
  let state = (seed | 0) === 0 ? 1 : seed | 0
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
