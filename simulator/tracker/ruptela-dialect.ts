import { CRC16_KERMIT } from '../../src/codecs/crc16.js'
import { encodeRecordsFrame, encodeUnitFrame } from '../../src/codecs/ruptela/encode-records.js'
import type { SentElement, SentRecord } from '../../src/codecs/sent-record.js'
import type { AlarmType } from '../../src/model/alarm.js'
import type { CommandReply } from '../../src/model/command.js'
import type { Fix } from '../drives/drive.js'
import type { UnitAlarm } from '../unit/unit-alarm.js'
import type { UnitLimits } from '../unit/unit-transport.js'
import { type Dialect, type Heard, type Incoming, type Outgoing, replyText, textCommand } from './dialect.js'
import { isMoving, sentAlarm, sentFix } from './sent-fix.js'

/** Of some 40 bytes each: a frame has at most 1,024. */
const MOST_RECORDS = 20
const RECORDS_IN_MEMORY = 10_000
/** From the unit. */
const IDENTIFICATION = 0x0f
const HEARTBEAT = 0x10
const SMS_ANSWER = 0x07
/** To the unit. */
const RECORDS_ANSWER = 0x64
const IDENTIFICATION_ANSWER = 0x73
const SMS_COMMAND = 0x6c
const SET_CONNECTION = 0x69
const POSITIVE = 1
/** Length, command, checksum. */
const FRAME_BYTES = 5
const LONGEST_BODY = 1020
const DEVICE_TYPE = 'F4'
const FIRMWARE = '03.18.23.01'
const IDENTIFICATION_BYTES = 37
const FIRMWARE_AT = 4

/** Events by IO id. */
const EVENTS: ReadonlyMap<AlarmType, number> = new Map([
  ['JAMMING', 88],
  ['HARD_BRAKE', 134],
  ['HARD_ACCELERATION', 136],
  ['TOWING', 410],
  ['CRASH', 411],
  ['TAMPER', 758],
])

/** The password, if the unit has one, stands before the first blank. */
const COMMANDS = [[/^\S* reset$/, 'REBOOT']] as const

/** Extended records over a connection; commands by text. */
export class RuptelaDialect implements Dialect {
  readonly limits: UnitLimits = { records: MOST_RECORDS, inFlight: 1, memory: RECORDS_IN_MEMORY }
  readonly alarmTypes = new Set(EVENTS.keys())
  readonly answersInOrder = true
  readonly isRefusedInSilence = false
  readonly awaitsHeartbeat = true

  constructor(private readonly imei: string) {}

  encodeOpening(): Buffer {
    const payload = Buffer.alloc(IDENTIFICATION_BYTES)
    payload.write(DEVICE_TYPE, 'latin1')
    payload.write(FIRMWARE, FIRMWARE_AT, 'latin1')
    return encodeUnitFrame(this.imei, IDENTIFICATION, payload)
  }

  encodeFixes(fixes: readonly Fix[]): Outgoing {
    return this.encode(fixes.map((fix) => sentFix(fix, elementsOf(fix.speedKmh))))
  }

  encodeAlarm(alarm: UnitAlarm): Outgoing {
    const id = EVENTS.get(alarm.type) ?? 0
    const elements = [...elementsOf(alarm.speedKmh), { id, raw: Buffer.of(1) }]
    return this.encode([{ ...sentAlarm(alarm, elements), eventId: id }])
  }

  encodeHeartbeat(): Buffer {
    return encodeUnitFrame(this.imei, HEARTBEAT, Buffer.alloc(0))
  }

  read(bytes: Buffer): Heard | undefined {
    if (bytes.length < 2) return undefined
    const body = bytes.readUInt16BE(0)
    const length = body + FRAME_BYTES - 1
    if (body < 1 || body > LONGEST_BODY) return { length: bytes.length, incoming: { kind: 'garbage' } }
    if (bytes.length < length) return undefined
    const end = length - 2
    if (bytes.readUInt16BE(end) !== CRC16_KERMIT(bytes, 2, end)) return { length, incoming: { kind: 'garbage' } }
    return { length, incoming: this.incomingOf(bytes.readUInt8(2), bytes.subarray(3, end)) }
  }

  private incomingOf(command: number, payload: Buffer): Incoming {
    const isPositive = payload[0] === POSITIVE
    if (command === RECORDS_ANSWER) return { kind: 'answer', key: '', isPositive }
    if (command === IDENTIFICATION_ANSWER) return { kind: isPositive ? 'let_in' : 'refused' }
    if (command === SMS_COMMAND) return this.textIncoming(payload.toString('latin1'))
    if (command !== SET_CONNECTION) return { kind: 'other' }
    return { kind: 'command', command: { type: 'SET_SERVER', params: {} }, encodeReply: () => undefined }
  }

  private textIncoming(text: string): Incoming {
    const encodeReply = (reply: CommandReply) => {
      const words = reply.status === 'accepted' ? 'reset ok' : replyText(reply)
      return encodeUnitFrame(this.imei, SMS_ANSWER, Buffer.from(words, 'latin1'))
    }
    return { kind: 'command', command: textCommand(text, COMMANDS), encodeReply }
  }

  private encode(records: readonly SentRecord[]): Outgoing {
    return { bytes: encodeRecordsFrame(this.imei, true, records), key: '' }
  }
}

function elementsOf(speedKmh: number | null): SentElement[] {
  return [
    { id: 5, raw: Buffer.of(1) },
    { id: 173, raw: Buffer.of(isMoving(speedKmh) ? 1 : 0) },
    { id: 29, raw: Buffer.from([0x6b, 0xd0]) },
  ]
}
