import { Decoder, type Packet } from 'socket.io-parser'
import { limitedParser, TOO_LARGE } from './limited-parser.js'

const LIMIT = 100

function decode(...parts: readonly unknown[]): Packet {
  const decoder: Decoder = new (limitedParser(LIMIT).Decoder)()
  let packet: Packet | undefined
  decoder.on('decoded', (decoded: Packet) => {
    packet = decoded
  })
  for (const part of parts) decoder.add(part)
  return packet as Packet
}

describe('limitedParser', () => {
  it('decodes what is within the limit as the plain parser does', () => {
    const text = '2/live,12["watch",{"deviceIds":["a"]}]'
    const plain = new Decoder()
    let expected: Packet | undefined
    plain.on('decoded', (decoded: Packet) => {
      expected = decoded
    })
    plain.add(text)
    expect(decode(text)).toEqual(expected)
  })

  it('marks an event over the limit and keeps what its ack needs', () => {
    const big = 'x'.repeat(LIMIT)
    expect(decode(`217["location","${big}"]`)).toEqual({ type: 2, nsp: '/', id: 17, data: ['location', TOO_LARGE] })
    expect(decode(`2/live,["watch","${big}"]`)).toEqual({ type: 2, nsp: '/live', data: ['watch', TOO_LARGE] })
  })

  it('counts bytes, not characters', () => {
    const text = (filler: string) => `21["e","${filler}"]`
    const room = LIMIT - text('').length
    expect(decode(text('x'.repeat(room))).data[1]).toBe('x'.repeat(room))
    expect(decode(text('€'.repeat(room))).data[1]).toBe(TOO_LARGE)
  })

  it('counts what comes as binary attachments, too, and holds nothing of what is over the limit', () => {
    const half = Buffer.alloc(LIMIT / 2, 1)
    const text = '52-9["location",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'
    expect(decode(text, half, half).data).toEqual(['location', half, half])
    const packet = decode(text, half, Buffer.alloc(LIMIT / 2 + 1))
    expect({ ...packet }).toMatchObject({ type: 2, nsp: '/', id: 9, data: ['location', TOO_LARGE] })
    expect(packet.data).toHaveLength(2)
    expect(decode(text, Buffer.alloc(LIMIT + 1), half).data).toEqual(['location', TOO_LARGE])
  })

  it('counts each event for itself', () => {
    const text = '51-9["location",{"_placeholder":true,"num":0}]'
    const full = Buffer.alloc(LIMIT)
    expect(decode(text, full, text, full).data).toEqual(['location', full])
    expect(decode(text, Buffer.alloc(LIMIT + 1), '21["e",1]').data).toEqual(['e', 1])
  })

  it('throws on an oversized packet that is neither an event nor an answer', () => {
    expect(() => decode(`0{"token":"${'1'.repeat(LIMIT)}"}`)).toThrow('neither an event nor an answer')
  })

  it('takes the answer of a unit whatever its size, but not with attachments over the limit', () => {
    const big = 'x'.repeat(LIMIT)
    expect(decode(`39[{"status":"done","result":"${big}"}]`)).toEqual({
      type: 3,
      nsp: '/',
      id: 9,
      data: [{ status: 'done', result: big }],
    })
    const answer = '61-9[{"status":"done","result":{"_placeholder":true,"num":0}}]'
    expect(decode(answer, Buffer.alloc(LIMIT + 1))).toMatchObject({ type: 3, id: 9, data: [TOO_LARGE] })
  })
})
