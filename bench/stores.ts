import type { BenchOptions } from './bench-options.js'
import { count, type Finding } from './finding.js'
import { benchMongoPositions } from './mongo-positions.js'
import { benchPositionStore } from './position-store.js'

/**
 * Append rates of the position stores against bare bulk inserts into the same kind of store, in the same run: the embedded one always,
 * the one in MongoDB where MONGO_URL says where it is.
 */
export async function benchStores({ repeats }: BenchOptions): Promise<Finding[]> {
  const embedded = (await benchPositionStore()).map(({ devices, batchSize, storeRate, bareRate }) => ({
    title: `embedded positions, ${devices} devices, batches of ${batchSize}`,
    figure: `${count(storeRate)} rows/s`,
    floor: `${count(bareRate)} rows/s`,
    ratio: storeRate / bareRate,
    details: { storeRate, bareRate },
  }))
  const { MONGO_URL } = process.env
  if (MONGO_URL === undefined) {
    process.stderr.write('stores: MONGO_URL is not set, so that nothing is said of MongoDB\n')
    return embedded
  }
  return [...embedded, ...(await benchMongoPositions(MONGO_URL, repeats))]
}
