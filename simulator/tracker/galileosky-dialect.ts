import { ByteWriter } from '../../src/codecs/byte-writer.js'
import { CRC16_MODBUS } from '../../src/codecs/crc16.js'
import { encodeHeadPacket, encodeRecordsPacket, encodeTagPacket } from '../../src/codecs/galileosky/encode-records.js'
import { PACKET } from '../../src/codecs/galileosky/framing.js'
import { splitTags } from '../../src/codecs/galileosky/split-tags.js'
import type { SentElement } from '../../src/codecs/sent-record.js'
import type { AlarmType } from '../../src/model/alarm.js'
import type { CommandReply } from '../../src/model/command.js'
import type { Fix } from '../drives/drive.js'
import type { UnitAlarm } from '../unit/unit-alarm.js'
import type { UnitLimits } from '../unit/unit-transport.js'
import { type Dialect, type Heard, type Incoming, type Outgoing, replyText, textCommand } from './dialect.js'
import { isMoving, sentAlarm, sentFix } from './sent-fix.js'

/** Of some 30 bytes each: a packet has at most 1,000. */
const MOST_RECORDS = 25
const RECORDS_IN_MEMORY = 10_000
const CONFIRMATION = 0x02
const CONFIRMATION_BYTES = 3
/** Header and length; checksum. */
const HEAD_BYTES = 3
const CRC_BYTES = 2
const MOST_TAG_BYTES = 1000
const IMEI = 0x03
const DEVICE_NUMBER = 0x04
const STATUS = 0x40
const SUPPLY = 0x41
const COMMAND_NUMBER = 0xe0
const TEXT = 0xe1
const LONGEST_TEXT = 255
const STATE_MS = 1000
const MOTION_BIT = 0
const ENGINE_BIT = 9

/** States by their bits. */
const STATES: ReadonlyMap<AlarmType, number> = new Map([
  ['LOW_BATTERY', 5],
  ['POWER_CUT', 8],
  ['VIBRATION', 10],
  ['TAMPER', 15],
])

const COMMANDS = [
  [/^reset$/, 'REBOOT'],
  [/^wrperiod (\d+),/, 'SET_INTERVAL'],
  [/^serverip /, 'SET_SERVER'],
] as const

/** Packets of tags over a connection, each confirmed by its own checksum. */
export class GalileoskyDialect implements Dialect {
  readonly limits: UnitLimits = { records: MOST_RECORDS, inFlight: 1, memory: RECORDS_IN_MEMORY }
  readonly alarmTypes = new Set(STATES.keys())
  readonly answersInOrder = false
  readonly isRefusedInSilence = true
  readonly awaitsHeartbeat = false

  constructor(private readonly imei: string) {}

  encodeOpening(): Buffer {
    return encodeHeadPacket(this.imei)
  }

  encodeFixes(fixes: readonly Fix[]): Outgoing {
    return outgoing(encodeRecordsPacket(fixes.map((fix) => sentFix(fix, elementsOf(fix.speedKmh)))))
  }

  encodeAlarm(alarm: UnitAlarm): Outgoing {
    const begun = sentAlarm(alarm, elementsOf(alarm.speedKmh, STATES.get(alarm.type)))
    // A state lasts until a record says that it is over: two in a row would be one alarm.
    const over = sentAlarm(alarm, elementsOf(alarm.speedKmh))
    return outgoing(encodeRecordsPacket([begun, { ...over, timeMs: over.timeMs + STATE_MS }]))
  }

  encodeHeartbeat(): undefined {}

  read(bytes: Buffer, isOpening: boolean): Heard | undefined {
    if (bytes.length < HEAD_BYTES) return undefined
    if (bytes[0] === CONFIRMATION) {
      const key = bytes.toString('hex', 1, CONFIRMATION_BYTES)
      const incoming: Incoming = isOpening ? { kind: 'let_in' } : { kind: 'answer', key, isPositive: true }
      return { length: CONFIRMATION_BYTES, incoming }
    }
    const tagBytes = bytes.readUInt16LE(1)
    const garbage: Heard = { length: bytes.length, incoming: { kind: 'garbage' } }
    if (bytes[0] !== PACKET || tagBytes > MOST_TAG_BYTES) return garbage
    const end = HEAD_BYTES + tagBytes
    if (bytes.length < end + CRC_BYTES) return undefined
    if (bytes.readUInt16LE(end) !== CRC16_MODBUS(bytes, 0, end)) return garbage
    return { length: end + CRC_BYTES, incoming: this.commandIn(bytes, end) }
  }

  private commandIn(bytes: Buffer, end: number): Incoming {
    const { tags } = splitTags(bytes, HEAD_BYTES, end)
    const number = tags.find(({ tag }) => tag === COMMAND_NUMBER)?.value.readUInt32LE()
    const text = tags.find(({ tag }) => tag === TEXT)?.value.toString('latin1')
    if (number === undefined || text === undefined) return { kind: 'other' }
    const encodeReply = (reply: CommandReply) => this.encodeReply(number, reply)
    return { kind: 'command', command: textCommand(text, COMMANDS), encodeReply }
  }

  private encodeReply(number: number, reply: CommandReply): Buffer {
    const text = Buffer.from(reply.status === 'accepted' ? 'reset' : replyText(reply), 'latin1')
    const words = text.subarray(0, LONGEST_TEXT)
    const tags = new ByteWriter().uint(IMEI, 1).bytes(Buffer.from(this.imei, 'latin1'))
    tags.uint(DEVICE_NUMBER, 1).uintLe(0, 2).uint(COMMAND_NUMBER, 1).uintLe(number, 4)
    return encodeTagPacket(tags.uint(TEXT, 1).uint(words.length, 1).bytes(words).toBuffer())
  }
}

/** @param stateBit of the state that holds besides */
function elementsOf(speedKmh: number | null, stateBit?: number): SentElement[] {
  const state = Buffer.alloc(2)
  const bits = [ENGINE_BIT, ...(isMoving(speedKmh) ? [MOTION_BIT] : []), ...(stateBit === undefined ? [] : [stateBit])]
  state.writeUInt16LE(bits.reduce((set, bit) => set | (1 << bit), 0))
  return [
    { id: STATUS, raw: state },
    { id: SUPPLY, raw: Buffer.from([0xd0, 0x6b]) },
  ]
}

function outgoing(packet: Buffer): Outgoing {
  return { bytes: packet, key: packet.toString('hex', packet.length - CRC_BYTES) }
}
