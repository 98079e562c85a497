import type { PositionPlace } from './position-samples.contract.js'
import { appendContract } from './position-store-append.contract.js'
import { readsContract } from './position-store-reads.contract.js'
import { removalContract } from './position-store-removal.contract.js'

/**
 * Everything that the port promises. Every adapter runs the whole of it.
 * @param makePlace makes an empty place for each test
 */
export function positionStoreContract(name: string, makePlace: () => Promise<PositionPlace>): void {
  describe(`position store: ${name}`, () => {
    describe('append', () => appendContract(makePlace))
    describe('reads', () => readsContract(makePlace))
    describe('removal and health', () => removalContract(makePlace))
  })
}
