import type { BenchOptions } from './bench-options.js'
import { count, type Finding } from './finding.js'
import { benchMongoPositions } from './mongo-positions.js'
import { benchPositionStore, type PositionStoreRate } from './position-store.js'

/** Of bulk appends without latest positions, in the embedded store as in MongoDB. */
const LEAST_RATIO = 0.7

/**
 * Append rates of the position stores against bare bulk inserts into the same kind of store, in the same run: the embedded one always,
 * the one in MongoDB where MONGO_URL says where it is. Rows without latest positions have a target; those with them are reported only,
 * since the floor keeps none.
 */
export async function benchStores({ repeats }: BenchOptions): Promise<Finding[]> {
  const embedded = (await benchPositionStore()).map(embeddedFinding)
  const { MONGO_URL } = process.env
  if (MONGO_URL === undefined) {
    process.stderr.write('stores: MONGO_URL is not set, so that nothing is said of MongoDB\n')
    return embedded
  }
  return [...embedded, ...(await benchMongoPositions(MONGO_URL, repeats))]
}

function embeddedFinding({ title, keepsLatest, storeRate, bareRate }: PositionStoreRate): Finding {
  const ratio = storeRate / bareRate
  return {
    title: `embedded positions, ${title}`,
    figure: `${count(storeRate)} rows/s`,
    floor: `${count(bareRate)} rows/s`,
    ratio,
    target: keepsLatest ? undefined : `ratio ≥ ${LEAST_RATIO}`,
    isMet: keepsLatest ? undefined : ratio >= LEAST_RATIO,
    details: { storeRate, bareRate },
  }
}
