import { PassThrough } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { S3ReadStream } from './s3-read-stream.js'

describe('bytes on their way from S3', () => {
  it('come to their end after all of them', async () => {
    const body = new PassThrough()
    const stream = new S3ReadStream(body, 6)
    body.end('abcdef')

    expect(Buffer.concat(await stream.toArray()).toString()).toBe('abcdef')
  })

  it('are an error when they break off', async () => {
    const body = new PassThrough()
    const stream = new S3ReadStream(body, 6)
    body.end('abc')

    await expect(stream.toArray()).rejects.toMatchObject({ code: 'store_unavailable' })
  })

  it('are an error when they stop coming, however long they may take while they come', async () => {
    const body = new PassThrough()
    const stream = new S3ReadStream(body, 6, 200)
    const reading = expect(stream.toArray()).rejects.toMatchObject({ code: 'store_unavailable' })
    for (const byte of 'abcde') {
      body.write(byte)
      await sleep(60)
    }

    await reading
    expect(body.destroyed).toBe(true)
  })

  it('break off without harm when nobody reads them', async () => {
    const body = new PassThrough()
    const stream = new S3ReadStream(body, 6)
    body.destroy(new Error('read ECONNRESET'))
    await sleep(20)

    expect(stream.destroyed).toBe(true)
  })
})
