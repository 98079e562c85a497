/** Teltonika's ("IBM"); of `123456789` it is 0xBB3D. */
export const CRC16_ARC = crc16(0xa001, 0)
/** Ruptela's; of `123456789` it is 0x2189. */
export const CRC16_KERMIT = crc16(0x8408, 0)
/** Galileosky's; of `123456789` it is 0x4B37. */
export const CRC16_MODBUS = crc16(0xa001, 0xffff)

/** @returns the sum of the bytes from `start` up to `end`, exclusive */
type Crc16 = (bytes: Uint8Array, start?: number, end?: number) => number

function crc16(reversedPolynomial: number, initial: number): Crc16 {
  const table = Uint16Array.from({ length: 256 }, (_, byte) => {
    let sum = byte
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ reversedPolynomial : sum >>> 1
    return sum
  })
  return (bytes, start = 0, end = bytes.length) => {
    let sum = initial
    // Indexes are within bounds; without the fallbacks' cost the loop is several times faster.
    for (let i = start; i < end; i++) sum = (sum >>> 8) ^ (table[(sum ^ (bytes[i] as number)) & 0xff] as number)
    return sum
  }
}
