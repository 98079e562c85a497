import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { fileKeyOf } from '../../model/video-keys.js'
import type { BlobStore } from '../blobs/blob-store.js'
import { Comparison } from './comparison.js'
import { type CopyPart, type CopyProgress, ForeignDataError, type PartExtent, type PartReport } from './copy-part.js'
import type { ListedVideo, ListedVideos } from './listed-videos.js'
import { mapInOrder } from './map-in-order.js'

const LOOKED_AT_AT_ONCE = 16
const COPIED_AT_ONCE = 4

/** An object's size and SHA-256; undefined: there is none. */
type Contents = { readonly bytes: number; readonly sha256: string } | undefined

/** The files of videos and the pictures made of them. */
export class ObjectCopy implements CopyPart {
  readonly name = 'objects'
  readonly unit = 'videos'

  /** @param videos of the database that is or was used with the source */
  constructor(
    private readonly videos: ListedVideos,
    private readonly source: BlobStore,
    private readonly target: BlobStore,
  ) {}

  async look(progress: CopyProgress): Promise<PartExtent> {
    const extent = { total: 0, present: 0 }
    progress.begin('looking at objects', await this.videos.count(), this.unit)
    for await (const isPresent of mapInOrder(this.videos.list(), LOOKED_AT_AT_ONCE, (video) => this.lookAt(video))) {
      extent.total++
      if (isPresent) extent.present++
      progress.advance(1)
    }
    progress.end()
    return extent
  }

  async copy(progress: CopyProgress): Promise<void> {
    progress.begin('copying objects', await this.videos.count(), this.unit)
    for await (const _ of mapInOrder(this.videos.list(), COPIED_AT_ONCE, (video) => this.copyVideo(video)))
      progress.advance(1)
    progress.end()
  }

  async verify(progress: CopyProgress): Promise<PartReport> {
    const comparison = new Comparison()
    progress.begin('comparing objects', await this.videos.count(), this.unit)
    for await (const compared of mapInOrder(this.videos.list(), COPIED_AT_ONCE, (video) => this.compare(video))) {
      for (const record of compared.source) comparison.source.take(record)
      for (const record of compared.target) comparison.target.take(record)
      for (const words of compared.differences) comparison.differences.add(words)
      for (const words of compared.warnings) comparison.warnings.add(words)
      progress.advance(1)
    }
    progress.end()
    return comparison.report(this.name, this.name)
  }

  /** @returns whether its file is there @throws ForeignDataError */
  private async lookAt(video: ListedVideo): Promise<boolean> {
    const key = fileKeyOf(video)
    const there = await this.target.stat(key)
    if (there === undefined) return false
    const mine = await this.source.stat(key)
    if (mine?.bytes !== there.bytes) throw new ForeignDataError(`another object ${key} of ${there.bytes} bytes`)
    return true
  }

  private async copyVideo(video: ListedVideo): Promise<void> {
    const key = fileKeyOf(video)
    if ((await this.target.stat(key)) === undefined) await this.copyObject(key)
    for (const picture of video.pictures) {
      const bytes = await wholeOf(this.source, picture)
      if (bytes === undefined || (await this.target.stat(picture))?.bytes === bytes.length) continue
      await this.target.put(picture, bytes)
    }
  }

  /** What is cut off here is an upload that nobody knows, which the server drops as any other. */
  private async copyObject(key: string): Promise<void> {
    const source = await this.source.read(key)
    if (source === undefined) return
    try {
      const id = await this.target.beginUpload(key)
      try {
        await this.target.append(id, 0, source)
        await this.target.complete(id, key)
      } catch (error) {
        await this.target.abort(id).catch(() => undefined)
        throw error
      }
    } finally {
      source.destroy()
    }
  }

  private async compare(video: ListedVideo) {
    const said = {
      source: [] as string[],
      target: [] as string[],
      differences: [] as string[],
      warnings: [] as string[],
    }
    const take = (key: string, what: string, source: Contents, target: Contents) => {
      if (source) said.source.push(`${key} ${source.bytes} ${source.sha256}`)
      if (target) said.target.push(`${key} ${target.bytes} ${target.sha256}`)
      const words = difference(source, target)
      if (words !== undefined) said.differences.push(`${what} of the video ${video.id} (${key}): ${words}`)
    }
    const file = fileKeyOf(video)
    const { source, target } = await this.compareFile(video)
    take(file, 'the file', source, target)
    if (video.isShown && source?.sha256 !== video.sha256) {
      const state = source === undefined ? 'is not there' : 'is not as it was uploaded'
      said.warnings.push(`the file of the video ${video.id} (${file}) ${state} in the source either`)
    }
    for (const key of video.pictures) {
      const [mine, theirs] = await Promise.all([wholeOf(this.source, key), wholeOf(this.target, key)])
      take(key, 'a picture', mine && contentsOf(mine), theirs && contentsOf(theirs))
    }
    return said
  }

  /** The source is read only where the target has not what the video says of itself. */
  private async compareFile(video: ListedVideo): Promise<{ readonly source: Contents; readonly target: Contents }> {
    const key = fileKeyOf(video)
    const target = await hashed(await this.target.read(key))
    const isAsSaid = video.isShown && target?.bytes === video.bytes && target.sha256 === video.sha256
    const isThere = isAsSaid && (await this.source.stat(key))?.bytes === video.bytes
    return { target, source: isThere ? target : await hashed(await this.source.read(key)) }
  }
}

function difference(source: Contents, target: Contents): string | undefined {
  if (source === undefined) return target && 'not in the source'
  if (target === undefined) return 'not in the target'
  if (source.bytes !== target.bytes) return `${target.bytes} bytes, not ${source.bytes}`
  return source.sha256 === target.sha256 ? undefined : 'other bytes'
}

async function wholeOf(store: BlobStore, key: string): Promise<Buffer | undefined> {
  const stream = await store.read(key)
  return stream && buffer(stream)
}

function contentsOf(bytes: Buffer): NonNullable<Contents> {
  return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
}

async function hashed(stream: Readable | undefined): Promise<Contents> {
  if (stream === undefined) return undefined
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of stream) {
    hash.update(chunk as Buffer)
    bytes += (chunk as Buffer).length
  }
  return { bytes, sha256: hash.digest('hex') }
}
