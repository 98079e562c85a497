import type { DataSource } from 'typeorm'
import { fileKeyOf } from '../../model/video-keys.js'
import type { BlobStore } from '../blobs/blob-store.js'
import { VideoEntity } from '../sql/entities/video-entity.js'
import type { ListedVideo, ListedVideos } from './listed-videos.js'

const ASKED_AT_ONCE = 500

/** Objects would stay behind, since the tables that name what is copied know nothing of them. */
export class UnlistedVideoError extends Error {
  override readonly name = 'UnlistedVideoError'
  /** EX_CONFIG of sysexits.h: it was asked for in the wrong order. */
  readonly exitCode = 78

  constructor(video: ListedVideo) {
    super(
      `the tables in use do not have the video ${video.id} (${fileKeyOf(video)}), which is in the source: copy sql first, or both (--only sql,objects)`,
    )
  }
}

/**
 * Looks whether objects can be copied by the tables in use, where the source has tables of its own. A video that those alone have was
 * removed since, with its file, or never came over.
 * @param own of the source's own tables
 * @throws UnlistedVideoError naming the first that never came over
 */
export async function assertListed(own: ListedVideos, inUse: DataSource, source: BlobStore): Promise<void> {
  for await (const some of pagesOf(own.list())) {
    for (const video of await unknownOf(some, inUse)) {
      if ((await source.stat(fileKeyOf(video))) !== undefined) throw new UnlistedVideoError(video)
    }
  }
}

async function* pagesOf(videos: AsyncIterable<ListedVideo>): AsyncGenerator<ListedVideo[]> {
  let page: ListedVideo[] = []
  for await (const video of videos) {
    // The bytes of a reservation may be no object yet, and its unit brings them again.
    if (video.isShown) page.push(video)
    if (page.length < ASKED_AT_ONCE) continue
    yield page
    page = []
  }
  if (page.length > 0) yield page
}

/** Those whose id is not known, and whose name no other video has got since. */
async function unknownOf(videos: readonly ListedVideo[], inUse: DataSource): Promise<ListedVideo[]> {
  const rows = inUse.getRepository(VideoEntity)
  const ids = videos.map(({ id }) => id)
  const found = await rows
    .createQueryBuilder('video')
    .select('video.id')
    .where('video.id IN (:...ids)', { ids })
    .getMany()
  const known = new Set(found.map(({ id }) => id))
  const unknown: ListedVideo[] = []
  for (const video of videos) {
    if (known.has(video.id)) continue
    const { deviceId, fileName } = video
    if ((await rows.countBy({ deviceId, fileName })) === 0) unknown.push(video)
  }
  return unknown
}
