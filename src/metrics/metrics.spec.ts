import { Metrics } from './metrics.js'

const lines = async (metrics: Metrics, name: string) =>
  (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith(name))

describe('Metrics', () => {
  it('shows what was tallied, each time the whole sum', async () => {
    const metrics = new Metrics()
    const accepted = metrics.positions.of({ ingress: 'socket', outcome: 'accepted' })
    metrics.positions.of({ ingress: 'socket', outcome: 'rejected' }).add(0)
    accepted.add(3)
    accepted.add(60)
    const shown = ['milepost_positions_total{ingress="socket",outcome="accepted"} 63']
    expect(await lines(metrics, 'milepost_positions_total')).toEqual(shown)
    expect(await lines(metrics, 'milepost_positions_total')).toEqual(shown)
    accepted.add(1)
    expect(await lines(metrics, 'milepost_positions_total')).toEqual([
      'milepost_positions_total{ingress="socket",outcome="accepted"} 64',
    ])
  })

  it('counts an observation in its bucket and in all larger ones', async () => {
    const metrics = new Metrics()
    const socket = metrics.ackSeconds.of('socket')
    for (const seconds of [0.0005, 0.001, 0.04, 20]) socket.observe(seconds)
    expect(metrics.ackSeconds.of('socket')).toBe(socket)
    const shown = await lines(metrics, 'milepost_ack_seconds')
    expect(shown.map((line) => line.replace('milepost_ack_seconds', ''))).toEqual([
      '_bucket{le="0.001",ingress="socket"} 2',
      '_bucket{le="0.0025",ingress="socket"} 2',
      '_bucket{le="0.005",ingress="socket"} 2',
      '_bucket{le="0.01",ingress="socket"} 2',
      '_bucket{le="0.025",ingress="socket"} 2',
      '_bucket{le="0.05",ingress="socket"} 3',
      '_bucket{le="0.1",ingress="socket"} 3',
      '_bucket{le="0.25",ingress="socket"} 3',
      '_bucket{le="0.5",ingress="socket"} 3',
      '_bucket{le="1",ingress="socket"} 3',
      '_bucket{le="2.5",ingress="socket"} 3',
      '_bucket{le="5",ingress="socket"} 3',
      '_bucket{le="10",ingress="socket"} 3',
      '_bucket{le="+Inf",ingress="socket"} 4',
      '_sum{ingress="socket"} 20.0415',
      '_count{ingress="socket"} 4',
    ])
  })

  it('asks how many positions wait when it is looked at', async () => {
    const metrics = new Metrics()
    expect(await lines(metrics, 'milepost_ingest_waiting_positions')).toEqual(['milepost_ingest_waiting_positions 0'])
    metrics.watchWaitingPositions(() => 17)
    expect(await lines(metrics, 'milepost_ingest_waiting_positions')).toEqual(['milepost_ingest_waiting_positions 17'])
  })
})
