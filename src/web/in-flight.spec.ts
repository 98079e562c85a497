import { once } from 'node:events'
import { connect } from 'node:net'
import { type FastifyInstance, fastify } from 'fastify'
import { InFlight } from './in-flight.js'

describe('InFlight', () => {
  let server: FastifyInstance
  let inFlight: InFlight
  let finish: Array<() => void>
  let url: string

  beforeEach(async () => {
    server = fastify()
    inFlight = new InFlight()
    inFlight.watch(server)
    finish = []
    server.get('/slow', async () => {
      await new Promise<void>((resolve) => finish.push(resolve))
      return { done: true }
    })
    server.get('/health/ready', async () => ({ status: 'error' }))
    server.get('/healthy', async () => ({}))
    url = await server.listen({ port: 0, host: '127.0.0.1' })
  })
  afterEach(async () => {
    for (const one of finish) one()
    await server.close()
  })
  const until = async (isTrue: () => boolean) => {
    while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 5))
  }

  it('finishes what is under way and refuses what is new', async () => {
    const first = fetch(`${url}/slow`)
    await until(() => inFlight.requests === 1)
    inFlight.stopAccepting()
    const second = await fetch(`${url}/slow?token=x`)
    expect([second.status, second.headers.get('retry-after'), second.headers.get('connection')]).toEqual([
      503,
      '5',
      'close',
    ])
    expect(await second.json()).toEqual({
      type: 'urn:milepost:error:overloaded',
      title: 'Too much is waiting already',
      status: 503,
      detail: 'The server is stopping',
      code: 'overloaded',
      instance: '/slow',
    })
    expect(inFlight.requests).toBe(1)
    const drained = inFlight.drained(5000)
    finish[0]?.()
    expect(await (await first).json()).toEqual({ done: true })
    expect(await drained).toBe(true)
    expect([inFlight.requests, inFlight.isStopping]).toEqual([0, true])
  })

  it('goes on answering health', async () => {
    inFlight.stopAccepting()
    const answer = await fetch(`${url}/health/ready`)
    expect([answer.status, answer.headers.get('connection')]).toEqual([200, 'close'])
    expect((await fetch(`${url}/healthy`)).status).toBe(503)
  })

  it('gives up waiting in time', async () => {
    const slow = fetch(`${url}/slow`)
    await until(() => inFlight.requests === 1)
    const startedMs = performance.now()
    expect(await inFlight.drained(100)).toBe(false)
    expect(performance.now() - startedMs).toBeLessThan(1000)
    finish[0]?.()
    await slow
    expect(await inFlight.drained(100)).toBe(true)
  })

  it('does not count a request whose client went away', async () => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    await once(socket, 'connect')
    socket.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n')
    await until(() => inFlight.requests === 1)
    socket.destroy()
    await until(() => inFlight.requests === 0)
    expect(inFlight.requests).toBe(0)
  })
})
