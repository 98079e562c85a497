import { parseConfig } from '../config/app-config.js'
import { Metrics } from '../metrics/metrics.js'
import { Sessions } from '../sessions/sessions.js'
import { DiskGuard } from '../storage/disk-guard.js'
import { UploadFlow } from './upload-flow.js'
import { UploadUnderWay } from './uploads-under-way.js'

const DEVICE = '356938035643809'

async function* pieces(count: number, onPiece: (n: number) => void = () => undefined): AsyncGenerator<Buffer> {
  for (let n = 1; n <= count; n++) {
    onPiece(n)
    yield Buffer.alloc(100)
  }
}

describe('UploadFlow', () => {
  const config = parseConfig({ VIDEO_MAX_BYTES: '1000' })
  const sessions = new Sessions(new Metrics())
  const disk = new DiskGuard('.', 0, new Metrics())
  const flow = new UploadFlow(config, disk, sessions)
  const uploadOf = (bytes: AsyncIterable<Buffer>) =>
    new UploadUnderWay(DEVICE, 'put', { bytes, isCut: false, cut: () => undefined })
  const taken = async (bytes: AsyncIterable<Buffer>, left: number): Promise<number> => {
    let count = 0
    for await (const chunk of flow.pass(uploadOf(bytes), left)) count += chunk.length
    return count
  }

  it('lets as many bytes through as may come, and the device is heard', async () => {
    expect(await taken(pieces(10), 1000)).toBe(1000)
    expect(sessions.presenceOf(DEVICE)).toMatchObject({ online: true, transport: 'http' })
  })

  it('refuses what comes beyond', async () => {
    await expect(taken(pieces(11), 1000)).rejects.toMatchObject({ code: 'body_too_large' })
    expect(() => flow.checkSize(1000)).not.toThrow()
    expect(() => flow.checkSize(1001)).toThrow(expect.objectContaining({ code: 'body_too_large' }))
  })

  it('stops at once when it is refused, although nothing comes', async () => {
    async function* silent(): AsyncGenerator<Buffer> {
      yield Buffer.alloc(100)
      await new Promise(() => undefined)
    }
    const upload = uploadOf(silent())
    const passed = flow.pass(upload, 1000)
    expect((await passed.next()).value?.length).toBe(100)
    const next = passed.next()
    upload.refuse(new Error('shut out'))
    await expect(next).rejects.toThrow('shut out')
    await expect(flow.pass(upload, 1000).next()).rejects.toThrow('shut out')
  })

  it('stops when the disk gets full on the way', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate'] })
    try {
      let isFull = false
      jest.spyOn(disk, 'assertWritable').mockImplementation(() => {
        if (isFull) throw disk.refusal()
      })
      const filling = pieces(10, (n) => {
        if (n !== 5) return
        isFull = true
        jest.advanceTimersByTime(1001)
      })
      await expect(taken(filling, 1000)).rejects.toMatchObject({ code: 'disk_full', status: 503 })
    } finally {
      jest.useRealTimers()
    }
  })
})
