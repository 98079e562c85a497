import { ByteWriter } from '../../src/codecs/byte-writer.js'
import { CRC16_ARC } from '../../src/codecs/crc16.js'
import type { SentElement, SentRecord } from '../../src/codecs/sent-record.js'
import { CODEC_12, CODEC_14, decodeText, TYPE_COMMAND } from '../../src/codecs/teltonika/decode-command-message.js'
import { encodePacket } from '../../src/codecs/teltonika/encode-command.js'
import { encodeLogin, encodeRecordsDatagram, encodeRecordsPacket } from '../../src/codecs/teltonika/encode-records.js'
import { HEADER_BYTES, splitTeltonika } from '../../src/codecs/teltonika/framing.js'
import type { AlarmType } from '../../src/model/alarm.js'
import type { CommandReply } from '../../src/model/command.js'
import type { Fix } from '../drives/drive.js'
import type { UnitAlarm } from '../unit/unit-alarm.js'
import type { UnitLimits } from '../unit/unit-transport.js'
import { type Dialect, type Heard, type Incoming, type Outgoing, replyText, textCommand } from './dialect.js'
import { isMoving, sentAlarm, sentFix } from './sent-fix.js'

const CODEC = '8E'
/** Of some 50 bytes each: a packet has at most 1,280. */
const MOST_RECORDS = 20
const RECORDS_IN_MEMORY = 10_000
const LET_IN = 0x01
const COUNT_BYTES = 4
/** Where a packet has its codec id: a count of zero has none. */
const CODEC_AT = HEADER_BYTES
const CHECKSUM_BYTES = 4
const TYPE_RESPONSE = 0x06
const PING = Buffer.of(0xff)
const DATAGRAM_ANSWER_BYTES = 7

/** Events by AVL id, with the value that says it. */
const EVENTS: ReadonlyMap<AlarmType, readonly [id: number, value: number]> = new Map([
  ['SOS', [236, 1]],
  ['TOWING', [246, 1]],
  ['CRASH', [247, 1]],
  ['JAMMING', [249, 1]],
  ['IDLING', [251, 1]],
  ['POWER_CUT', [252, 1]],
  ['HARD_ACCELERATION', [253, 1]],
  ['HARD_BRAKE', [253, 2]],
  ['SHARP_TURN', [253, 3]],
  ['OVERSPEED', [255, 70]],
])

const COMMANDS = [
  [/^cpureset$/, 'REBOOT'],
  [/^setparam 10050:(\d+)(?:;|$)/, 'SET_INTERVAL'],
  [/^setparam 2004:/, 'SET_SERVER'],
] as const

/** Codec 8 Extended over a connection or as datagrams; commands by Codec 12. */
export class TeltonikaDialect implements Dialect {
  /** The next packet waits for the answer to the one before. */
  readonly limits: UnitLimits = { records: MOST_RECORDS, inFlight: 1, memory: RECORDS_IN_MEMORY }
  readonly alarmTypes = new Set(EVENTS.keys())
  readonly answersInOrder: boolean
  readonly isRefusedInSilence = false
  readonly awaitsHeartbeat = false
  private packets = 0

  constructor(
    private readonly imei: string,
    private readonly transport: 'tcp' | 'udp',
  ) {
    this.answersInOrder = transport === 'tcp'
  }

  encodeOpening(): Buffer | undefined {
    return this.transport === 'tcp' ? encodeLogin(this.imei) : undefined
  }

  encodeFixes(fixes: readonly Fix[]): Outgoing {
    return this.encode(fixes.map((fix) => sentFix(fix, elementsOf(fix.speedKmh))))
  }

  encodeAlarm(alarm: UnitAlarm): Outgoing {
    const [id, value] = EVENTS.get(alarm.type) ?? [0, 0]
    const elements = [...elementsOf(alarm.speedKmh), { id, raw: Buffer.of(value) }]
    return this.encode([{ ...sentAlarm(alarm, elements), eventId: id }])
  }

  encodeHeartbeat(): Buffer | undefined {
    return this.transport === 'tcp' ? PING : undefined
  }

  read(bytes: Buffer, isOpening: boolean): Heard | undefined {
    if (this.transport === 'udp') return readDatagram(bytes)
    if (isOpening) return { length: 1, incoming: { kind: bytes[0] === LET_IN ? 'let_in' : 'refused' } }
    if (bytes.length < COUNT_BYTES) return undefined
    const records = bytes.readUInt32BE(0)
    if (records > 0) return { length: COUNT_BYTES, incoming: countOf(records) }
    // Four zeros are a count of nothing, or the beginning of a packet: its codec tells.
    if (bytes.length <= CODEC_AT) return undefined
    const isPacket = [CODEC_12, CODEC_14].includes(bytes[CODEC_AT] ?? 0)
    return isPacket ? readPacket(bytes) : { length: COUNT_BYTES, incoming: countOf(0) }
  }

  private encode(records: readonly SentRecord[]): Outgoing {
    if (this.transport === 'tcp') return { bytes: encodeRecordsPacket(CODEC, records), key: '' }
    const n = this.packets++
    const ids = { packetId: n & 0xffff, avlPacketId: n & 0xff }
    return { bytes: encodeRecordsDatagram(this.imei, ids, CODEC, records), key: keyOf(ids) }
  }
}

function elementsOf(speedKmh: number | null): SentElement[] {
  return [
    { id: 239, raw: Buffer.of(1) },
    { id: 240, raw: Buffer.of(isMoving(speedKmh) ? 1 : 0) },
    { id: 21, raw: Buffer.of(4) },
    { id: 66, raw: Buffer.from([0x6b, 0xd0]) },
  ]
}

function countOf(records: number): Incoming {
  return { kind: 'answer', key: '', isPositive: records > 0, records }
}

function keyOf({ packetId, avlPacketId }: { readonly packetId: number; readonly avlPacketId: number }): string {
  return `${packetId}.${avlPacketId}`
}

function readDatagram(bytes: Buffer): Heard {
  const { length } = bytes
  if (length !== DATAGRAM_ANSWER_BYTES) return { length, incoming: { kind: 'other' } }
  const ids = { packetId: bytes.readUInt16BE(2), avlPacketId: bytes.readUInt8(5) }
  const records = bytes.readUInt8(6)
  return { length, incoming: { kind: 'answer', key: keyOf(ids), isPositive: records > 0, records } }
}

function readPacket(bytes: Buffer): Heard | undefined {
  const split = splitTeltonika(bytes)
  if (split.kind === 'wait') return undefined
  if (split.kind !== 'frame') return { length: bytes.length, incoming: { kind: 'garbage' } }
  const { length } = split
  const sumAt = length - CHECKSUM_BYTES
  if (bytes.readUInt32BE(sumAt) !== CRC16_ARC(bytes, HEADER_BYTES, sumAt)) {
    return { length, incoming: { kind: 'garbage' } }
  }
  const { type, payload } = decodeText(bytes, HEADER_BYTES, sumAt)
  if (type !== TYPE_COMMAND) return { length, incoming: { kind: 'other' } }
  const command = textCommand(payload.toString('latin1').trim(), COMMANDS)
  const encodeReply = (reply: CommandReply) => encodeCommandReply(command, reply)
  return { length, incoming: { kind: 'command', command, encodeReply } }
}

type Command = Extract<Incoming, { kind: 'command' }>['command']

/** A unit that restarts says nothing: it is gone before. */
function encodeCommandReply({ type, params }: Command, reply: CommandReply): Buffer | undefined {
  if (reply.status === 'accepted') return undefined
  const isSet = type === 'SET_INTERVAL' && reply.status === 'done'
  const text = Buffer.from(isSet ? `New value 10050:${params.seconds}` : replyText(reply), 'latin1')
  const data = new ByteWriter().uint(CODEC_12, 1).uint(1, 1).uint(TYPE_RESPONSE, 1).uint(text.length, 4).bytes(text)
  return encodePacket(data.uint(1, 1).toBuffer())
}
