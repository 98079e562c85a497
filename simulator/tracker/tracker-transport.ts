import type { AlarmType } from '../../src/model/alarm.js'
import type { Clock } from '../clock.js'
import { type OpenOutcome, type UnitLimits, UnitTransport } from '../unit/unit-transport.js'
import type { Dialect } from './dialect.js'
import { dialectOf } from './dialects.js'
import { TrackerLink } from './tracker-link.js'
import type { TrackerOptions } from './tracker-options.js'
import { openDatagrams, openStream } from './wire.js'

/** A tracker's way to the server: a raw socket to the port of its brand, or datagrams. */
export class TrackerTransport extends UnitTransport {
  override readonly carriesAlarms = true
  override readonly alarmTypes: ReadonlySet<AlarmType>
  override readonly limits: UnitLimits
  private readonly dialect: Dialect
  private readonly host: string

  /** @param origin of the server: the trackers' port is on the same host */
  constructor(
    origin: string,
    imei: string,
    private readonly options: TrackerOptions,
    private readonly clock: Clock,
  ) {
    super()
    this.host = new URL(origin).hostname.replace(/^\[(.*)\]$/, '$1')
    this.dialect = dialectOf(imei, options)
    this.alarmTypes = this.dialect.alarmTypes
    this.limits = this.dialect.limits
  }

  async open(signal: AbortSignal): Promise<OpenOutcome> {
    const { clock, host, options } = this
    const openWire = options.transport === 'udp' ? openDatagrams : openStream
    const { wire, refusal } = await openWire({ host, port: options.port, clock, signal })
    return wire === undefined ? { refusal } : TrackerLink.open(wire, this.dialect, clock, signal)
  }
}
