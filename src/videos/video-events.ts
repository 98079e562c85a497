import { Injectable } from '@nestjs/common'
import type { Video } from '../model/video.js'

/** What happened to a video: it can be seen now, it is otherwise than before, or it is gone. */
export type VideoEvent = 'shown' | 'changed' | 'removed'

type VideoListener = (video: Video, event: VideoEvent) => void

/** Tells those who registered what happened to videos. Listeners must not throw or wait. */
@Injectable()
export class VideoEvents {
  private readonly listeners: VideoListener[] = []

  onVideo(listener: VideoListener): void {
    this.listeners.push(listener)
  }

  /** @param video as it is after it; for a removal as it was */
  tell(video: Video, event: VideoEvent): void {
    for (const listener of this.listeners) listener(video, event)
  }
}
