import fc from 'fast-check'
import { PacketListing } from './packet-listing.js'

const HEAD = `#extradata 0:       41, 0xebb80bca
#software: Lavf58.24.100
#tb 0: 1/1000
#media_type 0: video
#codec_id 0: h264
#dimensions 0: 720x576
#sar 0: 16/15
`
const PACKETS = `0,      -1000,          0,      500,    21392, 0x3a7c2fb8
0,       -500,        500,      500,    12807, 0xa16ee82e, F=0x0
0,          0,       1500,      500,    13514, 0x91813d6a, F=0x0
0,        500,       1000,      500,    12891, 0xe7321c15, F=0x0, S=1,        1, 0x00e000e0
0,       1000,       2000,      500,     8606, 0x93ffcf1e, S=1,        1, 0x00e000e0
`

function listed(text: string): PacketListing {
  const listing = new PacketListing()
  expect(listing.write(Buffer.from(text))).toBe(true)
  return listing
}

describe('PacketListing', () => {
  it('reads what the stream is', () => {
    const { codec, size, pixelWidth, packets } = listed(HEAD + PACKETS)
    expect({ codec, size, pixelWidth, packets }).toEqual({
      codec: 'h264',
      size: { width: 720, height: 576 },
      pixelWidth: 16 / 15,
      packets: 5,
    })
  })

  it('reads the length from the first picture to the end of the last, in order of showing', () => {
    expect(listed(HEAD + PACKETS).durationS).toBe(2.5)
  })

  it('reads the same, wherever the text is cut', () => {
    const whole = listed(HEAD + PACKETS)
    fc.assert(
      fc.property(fc.array(fc.nat(HEAD.length + PACKETS.length), { maxLength: 20 }), (cuts) => {
        const listing = new PacketListing()
        const places = [0, ...cuts.sort((a, b) => a - b), HEAD.length + PACKETS.length]
        for (let index = 1; index < places.length; index++) {
          listing.write(Buffer.from((HEAD + PACKETS).slice(places[index - 1], places[index])))
        }
        expect(listing).toEqual(whole)
      }),
    )
  })

  it('places a moment, and the key picture before it', () => {
    const listing = listed(HEAD + PACKETS)
    expect([listing.momentAt(0.5), listing.momentAt(0.9)]).toEqual([
      { atS: 1.25, keyS: 0 },
      { atS: 2.25, keyS: 2 },
    ])
  })

  it('counts from where the pictures begin', () => {
    const late = PACKETS.replaceAll(/^0, *-?\d+, *(\d+)/gm, (_, pts) => `0, 0, ${Number(pts) + 7000}`)
    const listing = listed(HEAD + late)
    expect([listing.durationS, listing.momentAt(0.5)]).toEqual([2.5, { atS: 8.25, keyS: 7 }])
  })

  it('takes the decoding time where there is no other, in the words of old and new builds', () => {
    const text = '0, 0, NOPTS, 0, 5, 0x1\n0, 1000, -9223372036854775808, 0, 5, 0x1\n0, 2000, NOPTS, 0, 5, 0x1\n'
    expect(listed(HEAD + text).durationS).toBe(3)
  })

  it.each([
    ['nothing', ''],
    ['no packets', HEAD],
    ['one packet without a duration', `${HEAD}0, 0, 0, 0, 5, 0x1\n`],
    ['no times at all', `${HEAD}0, NOPTS, NOPTS, 0, 5, 0x1\n0, NOPTS, NOPTS, 0, 5, 0x1\n`],
    ['a clock that jumps by a year', `${HEAD}0, 0, 0, 1, 5, 0x1\n0, 31536000000, 31536000000, 1, 5, 0x1\n`],
    ['no time base', '0, 0, 0, 500, 5, 0x1\n'],
  ])('knows no length of %s', (_, text) => {
    const listing = listed(text)
    expect([listing.durationS, listing.momentAt(0.5)]).toEqual([null, null])
  })

  it('takes nothing for a fact that is of another stream, or too large to be one', () => {
    const { codec, size, pixelWidth } = listed(
      '#codec_id 1: aac\n#dimensions 1: 9x9\n#codec_id 0: A b\n#dimensions 0: 99999999x2\n#dimensions 0: 0x0\n#sar 0: 0/1\n#sar 0: 4/0\n',
    )
    expect({ codec, size, pixelWidth }).toEqual({ codec: null, size: null, pixelWidth: 1 })
  })

  it('refuses a line without an end', () => {
    expect(new PacketListing().write(Buffer.alloc(5000, '0'))).toBe(false)
  })
})
