import type { SentRecord } from '../sent-record.js'

/** A unit of the GV300 family: the type stands in the first two digits. */
const VERSION = '060100'

/**
 * A GTFRI report as a vehicle unit sends it.
 * @param records 1..15
 * @param count of the message, of one counter for all messages of the unit
 */
export function encodeFixReport(imei: string, records: readonly SentRecord[], count: number): Buffer {
  return encodeReport(imei, { type: 'GTFRI', kind: '10' }, records, count)
}

/**
 * Any report of positions.
 * @param what its type, and what it says of the kind: two digits, which of several things it is about and what happened there
 * @param records 1..15
 */
export function encodeReport(
  imei: string,
  { type, kind }: { readonly type: string; readonly kind: string },
  records: readonly SentRecord[],
  count: number,
): Buffer {
  const sentAt = momentOf(records.at(-1)?.timeMs ?? 0)
  const positions = records.map(encodePosition).join(',')
  const head = `+RESP:${type},${VERSION},${imei},,,${kind},${records.length}`
  return Buffer.from(`${head},${positions},,,,,,,,${sentAt},${hexOf(count)}$`, 'latin1')
}

export function encodeHeartbeat(imei: string, timeMs: number, count: number): Buffer {
  return Buffer.from(`+ACK:GTHBD,${VERSION},${imei},,${momentOf(timeMs)},${hexOf(count)}$`, 'latin1')
}

/** The unit's word on a command. @param order its type, the number it came with, and whether the unit takes it */
export function encodeAck(
  imei: string,
  order: { readonly isTaken: boolean; readonly type: string; readonly serial: string },
  timeMs: number,
  count: number,
): Buffer {
  const head = `+${order.isTaken ? 'ACK' : 'NACK'}:${order.type}`
  return Buffer.from(`${head},${VERSION},${imei},,${order.serial},${momentOf(timeMs)},${hexOf(count)}$`, 'latin1')
}

function encodePosition({
  satellites,
  speedKmh,
  headingDeg,
  altitudeM,
  longitude,
  latitude,
  timeMs,
}: SentRecord): string {
  const place = [longitude.toFixed(6), latitude.toFixed(6), momentOf(timeMs)]
  const accuracy = satellites > 0 ? 1 : 0
  const cell = ['', '', '', '', '00']
  return [accuracy, speedKmh.toFixed(1), Math.round(headingDeg) % 360, altitudeM.toFixed(1), ...place, ...cell].join(
    ',',
  )
}

function momentOf(timeMs: number): string {
  return new Date(timeMs).toISOString().replace(/[-:T]/g, '').slice(0, 14)
}

function hexOf(count: number): string {
  return (count & 0xffff).toString(16).toUpperCase().padStart(4, '0')
}
