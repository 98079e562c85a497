import type { Difference, PositionPlace } from './position-samples.contract.js'
import { appendContract } from './position-store-append.contract.js'
import { partsContract } from './position-store-parts.contract.js'
import { readsContract } from './position-store-reads.contract.js'
import { removalContract } from './position-store-removal.contract.js'

/**
 * Everything that the port promises. Every adapter runs the whole of it.
 * @param makePlace makes an empty place for each test
 * @param differences of a server that only stands in for the one that the adapter is made for
 */
export function positionStoreContract(
  name: string,
  makePlace: () => Promise<PositionPlace>,
  differences: readonly Difference[] = [],
): void {
  describe(`position store: ${name}`, () => {
    describe('append', () => appendContract(makePlace, differences))
    describe('parts', () => partsContract(makePlace, differences))
    describe('reads', () => readsContract(makePlace, differences))
    describe('removal and health', () => removalContract(makePlace, differences))
  })
}
