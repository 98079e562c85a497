import { Injectable, type OnModuleInit } from '@nestjs/common'
import { LiveFeed } from '../live/live-feed.js'
import { VideoEvents } from './video-events.js'
import { toVideoJson } from './video-json.js'

/**
 * Tells watching users of videos that can be seen now or changed. Of one that is gone there is no item to show; its alarms, which
 * change with it, have news of their own.
 */
@Injectable()
export class VideoNews implements OnModuleInit {
  constructor(
    private readonly events: VideoEvents,
    private readonly live: LiveFeed,
  ) {}

  onModuleInit(): void {
    this.events.onVideo((video, event) => {
      if (event === 'removed') return
      const { id, deviceId } = video
      this.live.publishNews({ name: 'video', id, deviceId, point: null, item: () => toVideoJson(video) })
    })
  }
}
