import type { Provider } from '@nestjs/common'
import { AppConfig } from '../../config/app-config.js'
import { Metrics } from '../../metrics/metrics.js'
import { BlobStore } from '../../storage/blobs/blob-store.js'
import { DiskGuard } from '../../storage/disk-guard.js'
import { VideoRecords } from '../../storage/sql/video-records.js'
import { VideoEvents } from '../video-events.js'
import { VideoLocks } from '../video-locks.js'
import { MEDIA_LIMITS } from './media-limits.js'
import { MediaTool } from './media-tool.js'
import { MediaWork } from './media-work.js'
import { MediaWorker } from './media-worker.js'

/** The work on videos in the background, and the tool that does it. */
export const MEDIA_PROVIDERS: Provider[] = [
  {
    provide: MediaTool,
    inject: [AppConfig],
    useFactory: ({ FFMPEG_PATH }: AppConfig) => new MediaTool(FFMPEG_PATH, MEDIA_LIMITS),
  },
  {
    provide: MediaWork,
    inject: [VideoRecords, BlobStore, VideoEvents, MediaTool, Metrics, VideoLocks],
    useFactory: (
      records: VideoRecords,
      blobs: BlobStore,
      events: VideoEvents,
      tool: MediaTool,
      metrics: Metrics,
      locks: VideoLocks,
    ) => new MediaWork(records, blobs, events, tool, metrics, MEDIA_LIMITS, locks),
  },
  {
    provide: MediaWorker,
    inject: [AppConfig, VideoRecords, MediaWork, MediaTool, DiskGuard, Metrics, VideoEvents],
    useFactory: (
      { MEDIA_WORKERS }: AppConfig,
      records: VideoRecords,
      work: MediaWork,
      tool: MediaTool,
      disk: DiskGuard,
      metrics: Metrics,
      events: VideoEvents,
    ) => {
      const worker = new MediaWorker(MEDIA_WORKERS, records, work, tool, disk, metrics)
      worker.watch(events)
      return worker
    },
  },
]
