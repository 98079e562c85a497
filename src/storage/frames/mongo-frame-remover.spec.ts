import type { mongo } from 'mongoose'
import type { FrameDocument } from './mongo-frame-document.js'
import { MongoFrameRemover } from './mongo-frame-remover.js'

/** Documents that another node removes, too: of what is found, it is quicker with so many. */
class SharedFrames {
  constructor(
    private left: Array<Pick<FrameDocument, '_id' | 't'>>,
    private readonly otherTakes: readonly number[],
  ) {}

  private deletions = 0

  get count(): number {
    return this.left.length
  }

  find(_filter: unknown, { limit }: { readonly limit: number }) {
    return { toArray: async () => this.left.slice(0, limit) }
  }

  async deleteMany(): Promise<{ deletedCount: number }> {
    const taken = this.otherTakes[this.deletions++] ?? 0
    this.left = this.left.slice(1000)
    return { deletedCount: 1000 - taken }
  }
}

const framesOf = (count: number) => Array.from({ length: count }, (_, t) => ({ _id: `truck-1/${t}`, t }))
const removerOf = (frames: SharedFrames) => new MongoFrameRemover(frames as unknown as mongo.Collection<FrameDocument>)

describe('removal of frames by several nodes at once', () => {
  it('goes on by age where another node removed what was found', async () => {
    const frames = new SharedFrames(framesOf(3000), [1000, 1, 0])
    const remover = removerOf(frames)
    expect(await remover.removeStep(3000)).toEqual({ removed: 0, isDone: false })
    expect(await remover.removeStep(3000)).toEqual({ removed: 999, isDone: false })
    expect(await remover.removeStep(3000)).toEqual({ removed: 1000, isDone: false })
    expect(await remover.removeStep(3000)).toEqual({ removed: 0, isDone: true })
  })

  it('does not take a device for erased while something of it was found', async () => {
    const frames = new SharedFrames(framesOf(2000), [1000, 1000])
    const remover = removerOf(frames)
    expect([await remover.eraseStep('truck-1'), frames.count]).toEqual([false, 1000])
    expect([await remover.eraseStep('truck-1'), frames.count]).toEqual([false, 0])
    expect(await remover.eraseStep('truck-1')).toBe(true)
  })
})
