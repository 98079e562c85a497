import { CRC16_ARC } from '../src/codecs/crc16.js'
import { encodeRecordsPacket } from '../src/codecs/teltonika/encode-records.js'
import type { Fleet } from './fleet.js'

/** What most units say with each fix: ignition, movement, network, supply, odometer. */
const ELEMENTS = [
  { id: 239, raw: Buffer.of(1) },
  { id: 240, raw: Buffer.of(1) },
  { id: 21, raw: Buffer.of(4) },
  { id: 66, raw: Buffer.from([0x6b, 0xd0]) },
  { id: 16, raw: Buffer.from([0x00, 0x12, 0xd6, 0x87]) },
]
const VARIANTS = 256
const RECORDS_AT = 10
const DATA_AT = 8
const SECOND_WORD = 2 ** 32

/**
 * Packets of Codec 8 for a fleet's units: everything in them was encoded before the load begins but the times, which are new in each, and
 * the checksum over them. A unit has one packet under way, so that its bytes can be used again when it was answered.
 */
export class TrackerPackets {
  private readonly records: readonly Buffer[]
  private readonly packets: Buffer[] = []

  /** @param size records in each packet, 1..255 */
  constructor(
    private readonly fleet: Fleet,
    private readonly size: number,
  ) {
    this.records = Array.from({ length: VARIANTS }, (_, n) => this.encodeRecord(n))
  }

  /** The unit's next packet. */
  next(unit: number): Buffer {
    const { fleet, size } = this
    const packet = this.packetOf(unit)
    const first = fleet.sent[unit] ?? 0
    let at = RECORDS_AT
    for (let n = first; n < first + size; n++) {
      const record = this.records[(n + unit) % VARIANTS] as Buffer
      record.copy(packet, at)
      const timeMs = fleet.timeMsOf(n)
      packet.writeUInt32BE(Math.floor(timeMs / SECOND_WORD), at)
      packet.writeUInt32BE(timeMs % SECOND_WORD, at + 4)
      at += record.length
    }
    fleet.sent[unit] = first + size
    packet.writeUInt32BE(CRC16_ARC(packet, DATA_AT, packet.length - 4), packet.length - 4)
    return packet
  }

  private packetOf(unit: number): Buffer {
    const known = this.packets[unit]
    if (known !== undefined) return known
    const one = this.records[0] as Buffer
    const packet = encodeRecordsPacket('8', [])
    const whole = Buffer.alloc(packet.length + one.length * this.size)
    packet.copy(whole)
    whole.writeUInt32BE(whole.length - 12, 4)
    whole.writeUInt8(this.size, RECORDS_AT - 1)
    whole.writeUInt8(this.size, whole.length - 5)
    this.packets[unit] = whole
    return whole
  }

  /** All of them are equally long. */
  private encodeRecord(n: number): Buffer {
    const { latitude, longitude, altitude, speed, heading } = this.fleet.positionOf(0, n)
    const record = { latitude, longitude, altitudeM: altitude, speedKmh: speed, headingDeg: heading }
    const packet = encodeRecordsPacket('8', [{ ...record, timeMs: 0, satellites: 9, eventId: 0, elements: ELEMENTS }])
    return packet.subarray(RECORDS_AT, packet.length - 5)
  }
}
