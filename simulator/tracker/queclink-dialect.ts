import { createHash } from 'node:crypto'
import { encodeAck, encodeFixReport, encodeHeartbeat, encodeReport } from '../../src/codecs/queclink/encode-report.js'
import type { AlarmType } from '../../src/model/alarm.js'
import type { CommandReply } from '../../src/model/command.js'
import type { Fix } from '../drives/drive.js'
import type { UnitAlarm } from '../unit/unit-alarm.js'
import type { UnitLimits } from '../unit/unit-transport.js'
import { type Dialect, type Heard, type Incoming, type Outgoing, textCommand } from './dialect.js'
import { sentAlarm, sentFix } from './sent-fix.js'

/**
 * A report that is sent again is the same report to its last character, or it would be stored as another one; so none holds more than one
 * fix, whatever else is waiting beside it.
 */
const MOST_RECORDS = 1
const RECORDS_IN_MEMORY = 10_000
const END = 0x24 // $
const LONGEST_MESSAGE = 2048
const REMEMBERED = 1000
const PREFIX_AT = 1

/** Reports by type, with what they say of their kind. */
const EVENTS: ReadonlyMap<AlarmType, { readonly type: string; readonly kind: string }> = new Map([
  ['SOS', { type: 'GTSOS', kind: '10' }],
  ['TOWING', { type: 'GTTOW', kind: '10' }],
  ['CRASH', { type: 'GTCRA', kind: '10' }],
  ['POWER_CUT', { type: 'GTMPF', kind: '10' }],
  ['LOW_BATTERY', { type: 'GTBPL', kind: '10' }],
  ['JAMMING', { type: 'GTJDR', kind: '10' }],
  ['IDLING', { type: 'GTIDN', kind: '10' }],
  ['OVERSPEED', { type: 'GTSPD', kind: '01' }],
  ['HARD_BRAKE', { type: 'GTHBM', kind: '00' }],
  ['HARD_ACCELERATION', { type: 'GTHBM', kind: '01' }],
  ['SHARP_TURN', { type: 'GTHBM', kind: '02' }],
])

/** "Reboot" of the command for real-time operation. */
const COMMANDS = [[/^AT\+GTRTO=[^,]*,3,/, 'REBOOT']] as const
const COMMAND = /^AT\+(GT[A-Z0-9]{3})=.*,([0-9A-Fa-f]{4})\$$/

/** @Track in ASCII: one report a fix, as `+BUFF` when it was sent before. */
export class QueclinkDialect implements Dialect {
  readonly limits: UnitLimits = { records: MOST_RECORDS, inFlight: Number.POSITIVE_INFINITY, memory: RECORDS_IN_MEMORY }
  readonly alarmTypes = new Set(EVENTS.keys())
  readonly answersInOrder = false
  readonly isRefusedInSilence = true
  readonly awaitsHeartbeat = true
  private readonly sentBefore = new Set<string>()
  private heartbeats = 0

  /** @param sack every report waits for its answer; else it counts as settled when it has left, and is never sent again */
  constructor(
    private readonly imei: string,
    private readonly sack: boolean,
  ) {}

  /** A heartbeat: whoever is not let in gets no answer to it. */
  encodeOpening(nowMs: number): Buffer {
    return this.encodeHeartbeat(nowMs)
  }

  encodeFixes(fixes: readonly Fix[]): Outgoing {
    const records = fixes.map((fix) => sentFix(fix, []))
    return this.outgoing((count) => encodeFixReport(this.imei, records, count))
  }

  encodeAlarm(alarm: UnitAlarm): Outgoing {
    const event = EVENTS.get(alarm.type) ?? { type: 'GTSOS', kind: '10' }
    return this.outgoing((count) => encodeReport(this.imei, event, [sentAlarm(alarm, [])], count))
  }

  encodeHeartbeat(nowMs: number): Buffer {
    return encodeHeartbeat(this.imei, nowMs, this.heartbeats++)
  }

  read(bytes: Buffer, isOpening: boolean): Heard | undefined {
    const end = bytes.indexOf(END)
    if (end < 0) {
      if (bytes.length <= LONGEST_MESSAGE) return undefined
      return { length: bytes.length, incoming: { kind: 'garbage' } }
    }
    const text = bytes.toString('latin1', 0, end + 1)
    return { length: end + 1, incoming: this.incomingOf(text.trimStart(), isOpening) }
  }

  private incomingOf(text: string, isOpening: boolean): Incoming {
    const [, count] = /^\+SACK:([0-9A-Fa-f]{4})\$$/.exec(text) ?? []
    if (count !== undefined) return { kind: 'answer', key: count.toUpperCase(), isPositive: true }
    if (text.startsWith('+SACK:GTHBD,')) return { kind: isOpening ? 'let_in' : 'other' }
    const [, type, serial] = COMMAND.exec(text) ?? []
    if (type === undefined || serial === undefined) return { kind: 'garbage' }
    const encodeReply = ({ status }: CommandReply, nowMs: number) =>
      encodeAck(this.imei, { isTaken: status !== 'failed', type, serial }, nowMs, this.heartbeats++)
    return { kind: 'command', command: textCommand(text, COMMANDS), encodeReply }
  }

  /**
   * The count of a message follows from what it says: a unit that has forgotten what it sent, since its process was killed, sends it
   * again as the same message.
   */
  private outgoing(encode: (count: number) => Buffer): Outgoing {
    const count = createHash('sha256').update(encode(0)).digest().readUInt16BE()
    const bytes = encode(count)
    const name = bytes.toString('latin1')
    if (this.sentBefore.has(name)) bytes.write('BUFF', PREFIX_AT, 'latin1')
    else this.remember(name)
    return this.sack ? { bytes, key: count.toString(16).toUpperCase().padStart(4, '0') } : { bytes }
  }

  private remember(name: string): void {
    this.sentBefore.add(name)
    const [oldest] = this.sentBefore
    if (this.sentBefore.size > REMEMBERED && oldest !== undefined) this.sentBefore.delete(oldest)
  }
}
