import { GALILEOSKY } from './galileosky/galileosky-codec.js'
import { QUECLINK } from './queclink/queclink-codec.js'
import { RUPTELA } from './ruptela/ruptela-codec.js'
import { TELTONIKA } from './teltonika/teltonika-codec.js'
import type { TrackerCodec } from './tracker-codec.js'

/** Every brand of trackers. */
export const TRACKER_CODECS: readonly TrackerCodec[] = [TELTONIKA, QUECLINK, RUPTELA, GALILEOSKY]
