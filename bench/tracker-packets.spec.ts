import { TELTONIKA } from '../src/codecs/teltonika/teltonika-codec.js'
import { Fleet } from './fleet.js'
import { TrackerPackets } from './tracker-packets.js'

describe('packets of the load', () => {
  it.each([1, 20])("are packets of Codec 8 with the fleet's next %s positions", (size) => {
    const fleet = new Fleet(3)
    const packets = new TrackerPackets(fleet, size)
    for (let round = 0; round < 2; round++) {
      const packet = Buffer.from(packets.next(2))
      expect(TELTONIKA.split(packet)).toEqual({ kind: 'frame', length: packet.length })
      const { records } = TELTONIKA.decode(packet)
      const expected = Array.from({ length: size }, (_, n) => fleet.positionOf(2, round * size + n))
      expect(records.map(({ timeMs, latitude, longitude }) => ({ timeMs, latitude, longitude }))).toEqual(
        expected.map(({ time, latitude, longitude }) => ({ timeMs: Date.parse(time), latitude, longitude })),
      )
      expect(records[0]?.attributes).toMatchObject({ ignition: true, odometerM: 1_234_567, externalVoltageV: 27.6 })
    }
    expect(fleet.sent).toEqual([0, 0, 2 * size])
  })
})
