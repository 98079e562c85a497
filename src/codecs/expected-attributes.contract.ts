import type { Attributes } from '../model/position.js'
import { galileoskyAttributes } from './galileosky/galileosky-attributes.contract.js'
import { QUECLINK_ATTRIBUTES } from './queclink/queclink-attributes.contract.js'
import { ruptelaAttributes } from './ruptela/ruptela-attributes.contract.js'
import { teltonikaAttributes } from './teltonika/teltonika-attributes.contract.js'
import type { FrameSample } from './tracker-frames.contract.js'

/**
 * The attributes of each record of a frame, in the order of its file: all of them, and nothing else. They come from the raw values in the
 * file and from tables that no codec uses.
 * @param brand as its file is named
 */
export function expectedAttributes(brand: string, { id, expect: { records = [] } }: FrameSample): Attributes[] {
  return records.map((record, i) => {
    if (brand === 'teltonika') return teltonikaAttributes(record)
    if (brand === 'ruptela') return ruptelaAttributes(record)
    if (brand === 'galileosky') return galileoskyAttributes(record)
    const attributes = QUECLINK_ATTRIBUTES[id]?.[i]
    if (attributes === undefined) throw new Error(`nobody wrote down what record ${i} of ${id} says`)
    return attributes
  })
}
