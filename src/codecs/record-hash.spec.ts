import { recordHash } from './record-hash.js'

describe('hash of a record', () => {
  it('is the same for the same bytes, wherever they lie', () => {
    const record = Buffer.from('0000016b40d8ea30', 'hex')
    const within = Buffer.concat([Buffer.alloc(5), record, Buffer.alloc(3)])
    expect(recordHash(within, 5, 13)).toBe(recordHash(record))
    expect(recordHash(record)).toBe(201_768_685_730_906)
  })

  it('fits the discriminator of a position', () => {
    for (let i = 0; i < 10_000; i++) {
      const hash = recordHash(Buffer.from(`record ${i}`))
      expect(Number.isSafeInteger(hash) && hash >= 0 && hash < 2 ** 48).toBe(true)
    }
  })

  it('is another one for every single-bit change, every length and every small number', () => {
    const record = Buffer.alloc(64, 0x5a)
    const hashes = new Set([recordHash(record)])
    for (let bit = 0; bit < record.length * 8; bit++) {
      const changed = Buffer.from(record)
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      hashes.add(recordHash(changed))
    }
    for (let length = 0; length < 64; length++) hashes.add(recordHash(Buffer.alloc(length)))
    for (let i = 0; i < 200_000; i++) {
      const number = Buffer.alloc(4)
      number.writeUInt32BE(i)
      hashes.add(recordHash(number))
    }
    // Four zero bytes are both a length and a number.
    expect(hashes.size).toBe(1 + 512 + 64 + 200_000 - 1)
  })
})
