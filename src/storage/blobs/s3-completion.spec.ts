import { completeBesideOthers } from './s3-completion.js'

const refusal = (Code: string) => Object.assign(new Error(Code), { Code, $metadata: { httpStatusCode: 400 } })

describe('completing a multipart upload that another node completes', () => {
  const isCompleted = async () => false

  it('is done where the object is there and something of the upload stays', async () => {
    const send = jest.fn<Promise<string>, []>().mockRejectedValue(refusal('InvalidPart'))
    const looks = [false, true]
    expect(await completeBesideOthers(send, async () => looks.shift() ?? true, 1)).toBeUndefined()
    expect(send).toHaveBeenCalledTimes(2)
  })

  it('waits while the server has its parts no more and the upload still', async () => {
    const send = jest
      .fn<Promise<string>, []>()
      .mockRejectedValueOnce(refusal('InvalidPart'))
      .mockRejectedValueOnce(refusal('InvalidPart'))
      .mockRejectedValue(refusal('NoSuchUpload'))
    expect(await completeBesideOthers(send, isCompleted, 1)).toBeUndefined()
    expect(send).toHaveBeenCalledTimes(3)
  })

  it('gives the answer where the other one failed', async () => {
    const send = jest.fn<Promise<string>, []>().mockRejectedValueOnce(refusal('InvalidPart')).mockResolvedValue('done')
    expect(await completeBesideOthers(send, isCompleted, 1)).toBe('done')
  })

  it('says so when a part really is not there', async () => {
    const error = refusal('InvalidPart')
    await expect(completeBesideOthers(() => Promise.reject(error), isCompleted, 1)).rejects.toBe(error)
  })

  it('tries nothing else again', async () => {
    const error = refusal('AccessDenied')
    const send = jest.fn<Promise<string>, []>().mockRejectedValue(error)
    await expect(completeBesideOthers(send, isCompleted, 1)).rejects.toBe(error)
    expect(send).toHaveBeenCalledTimes(1)
  })
})
