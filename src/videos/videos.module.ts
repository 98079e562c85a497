import { Module } from '@nestjs/common'
import { MEDIA_PROVIDERS } from './media/media-providers.js'
import { MediaTool } from './media/media-tool.js'
import { SignedLinks } from './signed-links.js'
import { VideoContent } from './video-content.js'
import { VideoEvents } from './video-events.js'
import { VideoFilesController } from './video-files.controller.js'
import { VideoLocks } from './video-locks.js'
import { VideoNews } from './video-news.js'
import { VideoRemoval } from './video-removal.js'
import { VideoRetention } from './video-retention.js'
import { VideosController } from './videos.controller.js'
import { VideosService } from './videos.service.js'

/** Evidence videos: what users see of them and do with them, and the work in the background. */
@Module({
  controllers: [VideosController, VideoFilesController],
  providers: [
    ...MEDIA_PROVIDERS,
    VideosService,
    VideoContent,
    SignedLinks,
    VideoEvents,
    VideoLocks,
    VideoNews,
    VideoRemoval,
    VideoRetention,
  ],
  exports: [MediaTool, VideoEvents, VideoLocks, VideoRemoval, VideoRetention],
})
export class VideosModule {}
