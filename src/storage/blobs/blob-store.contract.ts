import { objectsContract } from './blob-objects.contract.js'
import type { BlobPlace } from './blob-samples.contract.js'
import { uploadsContract } from './blob-uploads.contract.js'

/**
 * Everything that the port promises. Every adapter runs the whole of it.
 * @param makePlace makes an empty place for each test
 */
export function blobStoreContract(name: string, makePlace: () => Promise<BlobPlace>): void {
  describe(`blob store: ${name}`, () => {
    describe('uploads', () => uploadsContract(makePlace))
    describe('objects', () => objectsContract(makePlace))
  })
}
