import { CRC16_ARC, CRC16_KERMIT, CRC16_MODBUS } from './crc16.js'

const DIGITS = Buffer.from('123456789')

it.each([
  ['ARC', CRC16_ARC, 0xbb3d, 0],
  ['KERMIT', CRC16_KERMIT, 0x2189, 0],
  ['MODBUS', CRC16_MODBUS, 0x4b37, 0xffff],
])('gives the check value of CRC-16/%s', (_, crc, ofDigits, ofNothing) => {
  expect(crc(DIGITS)).toBe(ofDigits)
  expect(crc(Buffer.concat([Buffer.from('x'), DIGITS, Buffer.from('y')]), 1, 10)).toBe(ofDigits)
  expect(crc(Buffer.alloc(0))).toBe(ofNothing)
})
