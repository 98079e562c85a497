import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { WebSocket } from 'ws'
import { CorkedWebSocketServer } from './corked-web-socket.js'

describe('CorkedWebSocketServer', () => {
  let server: CorkedWebSocketServer
  let client: WebSocket
  let served: WebSocket

  beforeEach(async () => {
    server = new CorkedWebSocketServer({ port: 0, host: '127.0.0.1' })
    await once(server, 'listening')
    client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`)
    ;[served] = (await once(server, 'connection')) as [WebSocket]
    if (client.readyState !== WebSocket.OPEN) await once(client, 'open')
  })

  afterEach(() => {
    client.terminate()
    server.close()
  })

  const messagesOf = (count: number) =>
    new Promise<string[]>((resolve) => {
      const messages: string[] = []
      client.on('message', (data) => {
        if (messages.push(String(data)) === count) resolve(messages)
      })
    })

  it('lets the messages of one turn leave together, in order, before the event loop goes on', async () => {
    const { _socket: stream } = served as unknown as { _socket: Socket }
    const received = messagesOf(3)
    const sent: string[] = []
    for (const text of ['one', 'two', 'three']) served.send(text, () => sent.push(text))
    expect(stream.writableCorked).toBe(1)
    const bytesBefore = stream.bytesWritten - stream.writableLength
    await new Promise((resolve) => process.nextTick(resolve))
    expect([stream.writableCorked, stream.writableLength]).toEqual([0, 0])
    expect(stream.bytesWritten - bytesBefore).toBe(2 * 3 + 'onetwothree'.length)
    expect(await received).toEqual(['one', 'two', 'three'])
    expect(sent).toEqual(['one', 'two', 'three'])
  })

  it('takes options, and messages of the next turns', async () => {
    const received = messagesOf(2)
    served.send(Buffer.from('binary'), { binary: true })
    await new Promise((resolve) => setImmediate(resolve))
    served.send('later')
    expect(await received).toEqual(['binary', 'later'])
  })

  it('delivers what was sent before a close', async () => {
    const received = messagesOf(1)
    served.send('last words')
    served.close(1000)
    expect(await received).toEqual(['last words'])
    expect((await once(client, 'close'))[0]).toBe(1000)
  })
})
