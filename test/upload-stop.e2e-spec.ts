import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { testImei } from './support/api.js'
import { metricSum } from './support/metric-sum.js'
import { ServerProcess } from './support/server-process.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { videoBytes } from './support/video-bytes.js'

const UPLOADS = '/api/v1/videos/uploads'
const SENT = 1_500_000

afterAll(removeTemporaryDirectories)

describe('SIGTERM while a tus upload comes in', () => {
  it('tells the unit to come again, ends with 0, and lets it go on where it was', async () => {
    const server = new ServerProcess({ DATA_DIR: temporaryDirectory(), DEVICE_ENROLMENT: 'open' })
    await server.start()
    try {
      const token = await server.api.loginDevice(testImei(1))
      const bytes = videoBytes(4_000_000)
      const tus = { authorization: `Bearer ${token}`, 'tus-resumable': '1.0.0' }
      const created = await fetch(`${server.url}${UPLOADS}`, {
        method: 'POST',
        headers: { ...tus, 'upload-length': String(bytes.length), 'upload-metadata': `filename ${btoa('stop.mp4')}` },
      })
      const url = `${server.url}${created.headers.get('location')}`
      const patch = { ...tus, 'content-type': 'application/offset+octet-stream' }
      const request = httpRequest(url, {
        method: 'PATCH',
        headers: { ...patch, 'upload-offset': '0', 'content-length': String(bytes.length) },
      })
      request.on('error', () => undefined)
      const answered = once(request, 'response') as Promise<[IncomingMessage]>
      request.write(bytes.subarray(0, SENT))
      while ((await metricSum(server, 'milepost_upload_bytes_total', /way="tus"/)) < SENT) await sleep(20)
      const stopped = server.stop()
      const [{ statusCode, headers }] = await answered
      expect([statusCode, headers.connection, headers['retry-after']]).toEqual([503, 'close', '5'])
      expect(await stopped).toBe(0)
      await server.start()
      const asked = await fetch(url, { method: 'HEAD', headers: tus })
      expect([asked.status, asked.headers.get('upload-offset')]).toEqual([200, String(SENT)])
      const rest = await fetch(url, {
        method: 'PATCH',
        headers: { ...patch, 'upload-offset': String(SENT) },
        body: bytes.subarray(SENT),
      })
      expect([rest.status, rest.headers.get('video-id')]).toEqual([204, expect.any(String)])
    } finally {
      await server.kill()
    }
  }, 60_000)
})
