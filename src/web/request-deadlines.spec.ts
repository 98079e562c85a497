import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { answerInItsTime, exemptFromDeadline, RequestDeadlines } from './request-deadlines.js'

describe('RequestDeadlines', () => {
  let server: Server

  async function listen(limitMs: number): Promise<void> {
    server = createServer((request, response) => {
      if (request.url === '/upload') exemptFromDeadline(request)
      request.resume().once('end', () => response.end('whole'))
    })
    new RequestDeadlines(limitMs, 20).watch(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  }
  afterEach(() => server.close())

  /** Sends ten bytes of a body, one by one. @returns all that comes back */
  const trickle = async (url: string, everyMs: number): Promise<string> => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    let answer = ''
    socket.on('data', (chunk) => {
      answer += chunk.toString()
    })
    socket.on('error', () => undefined)
    socket.write(`POST ${url} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nConnection: close\r\n\r\n`)
    const closed = once(socket, 'close')
    for (let n = 0; n < 10 && !socket.destroyed; n++) {
      await sleep(everyMs)
      if (!answer.includes('408')) socket.write('x')
    }
    await closed
    return answer
  }

  it('refuses a request that does not come to its end in time', async () => {
    await listen(150)
    const answer = await trickle('/', 50)
    expect(answer).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/)
    expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toMatchObject({ status: 408, code: 'invalid_request' })
  })

  it('lets one through that is slow, but in time', async () => {
    await listen(5000)
    expect(await trickle('/', 5)).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*whole/)
  })

  it('lets an exempt one take as long as its bytes keep coming', async () => {
    await listen(150)
    expect(await trickle('/upload', 50)).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*whole/)
  })
})

describe('answerInItsTime', () => {
  let server: Server

  beforeEach(async () => {
    server = createServer((request, response) => {
      const work = () => sleep(400, 'done')
      const answer = request.url === '/patient' ? answerInItsTime(request, work) : work()
      void answer.then((text) => response.end(`${text} ${request.socket.timeout}`))
    })
    server.setTimeout(100)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterEach(() => server.close())

  const ask = async (path: string) => {
    const { port } = server.address() as AddressInfo
    return (await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } })).text()
  }

  it('keeps the connection while the answer is worked on, and no longer', async () => {
    expect(await ask('/patient')).toBe('done 100')
    await expect(ask('/')).rejects.toThrow('fetch failed')
  })
})
