import path from 'node:path'
import type { Socket } from 'socket.io-client'
import { testImei } from './support/api.js'
import { ADMIN_PASSWORD, ServerProcess } from './support/server-process.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { closingOf, connectSocket } from './support/unit-socket.js'

/** The TCP socket under a client. */
function networkOf(socket: Socket): { pause(): void; destroy(): void } {
  const transport = socket.io.engine.transport as unknown as { ws: { _socket: { pause(): void; destroy(): void } } }
  return transport.ws._socket
}

describe('SIGTERM', () => {
  afterAll(removeTemporaryDirectories)

  it('ends the process with 0 in time, although some clients have gone without a word', async () => {
    const server = new ServerProcess({
      DATA_DIR: path.join(temporaryDirectory(), 'data'),
      DEVICE_ENROLMENT: 'open',
      SHUTDOWN_GRACE_S: '5',
    })
    await server.start()
    const unit = await connectSocket(server.url, { token: await server.api.loginDevice(testImei(1)) })
    const lostUnit = await connectSocket(server.url, { token: await server.api.loginDevice(testImei(2)) })
    const admin = await server.api.login('admin', ADMIN_PASSWORD)
    const user = await connectSocket(`${server.url}/live`, { token: admin })
    const lostUser = await connectSocket(`${server.url}/live`, { token: admin })
    const lost = [lostUnit, lostUser].map(networkOf)
    for (const network of lost) network.pause()
    const closings = Promise.all([closingOf(unit), closingOf(user)])
    const startedMs = performance.now()
    expect(await server.stop()).toBe(0)
    expect(performance.now() - startedMs).toBeLessThan(4000)
    expect((await closings).map(({ code }) => code)).toEqual(['shutting_down', 'shutting_down'])
    for (const network of lost) network.destroy()
  })
})
