import type { Dialect } from './dialect.js'
import { GalileoskyDialect } from './galileosky-dialect.js'
import { QueclinkDialect } from './queclink-dialect.js'
import { RuptelaDialect } from './ruptela-dialect.js'
import { TeltonikaDialect } from './teltonika-dialect.js'
import type { TrackerOptions, TrackerProtocol } from './tracker-options.js'

const DIALECTS: Readonly<Record<TrackerProtocol, (imei: string, options: TrackerOptions) => Dialect>> = {
  teltonika: (imei, { transport }) => new TeltonikaDialect(imei, transport),
  queclink: (imei, { sack }) => new QueclinkDialect(imei, sack),
  ruptela: (imei) => new RuptelaDialect(imei),
  galileosky: (imei) => new GalileoskyDialect(imei),
}

export function dialectOf(imei: string, options: TrackerOptions): Dialect {
  return DIALECTS[options.protocol](imei, options)
}
