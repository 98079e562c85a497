import { TrackerRoom } from './tracker-room.js'

describe('room for connections of trackers', () => {
  it('has so many places in all, and so many for one address', () => {
    const room = new TrackerRoom(3, 2)
    expect(['192.0.2.1', '192.0.2.1', '192.0.2.1'].map((address) => room.enter(address))).toEqual([true, true, false])
    expect([room.enter('192.0.2.2'), room.enter('192.0.2.3')]).toEqual([true, false])
    room.leave('192.0.2.1')
    expect([room.enter('192.0.2.1'), room.enter('192.0.2.1')]).toEqual([true, false])
  })

  it('takes the /64 of an IPv6 client for one address, and an IPv4 address however it is written', () => {
    const room = new TrackerRoom(100, 2)
    const addresses = ['2001:db8:0:1::1', '2001:db8:0:1::2', '2001:db8:0:1:ffff::3', '2001:db8:0:2::1']
    expect(addresses.map((address) => room.enter(address))).toEqual([true, true, false, true])
    expect(['::ffff:192.0.2.1', '192.0.2.1', '192.0.2.1'].map((address) => room.enter(address))).toEqual([
      true,
      true,
      false,
    ])
    room.leave('2001:db8:0:1:ffff::3')
    expect(room.enter('2001:db8:0:1::4')).toBe(true)
  })

  it('knows no limit of an address at 0', () => {
    const room = new TrackerRoom(3, 0)
    expect([1, 2, 3, 4].map(() => room.enter('192.0.2.1'))).toEqual([true, true, true, false])
  })
})
