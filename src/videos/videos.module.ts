import { Module } from '@nestjs/common'
import { VideoEvents } from './video-events.js'

/** Evidence videos: what users see of them and do with them, and the work in the background. */
@Module({
  providers: [VideoEvents],
  exports: [VideoEvents],
})
export class VideosModule {}
