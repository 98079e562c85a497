import { Injectable } from '@nestjs/common'
import { LiveFeed } from '../live/live-feed.js'
import type { Alarm } from '../model/alarm.js'
import { toAlarmJson } from '../web/alarm-json.js'

/** Tells watching users of alarms that came or changed. */
@Injectable()
export class AlarmNews {
  constructor(private readonly live: LiveFeed) {}

  /** Never throws, never waits. */
  publish(alarm: Alarm): void {
    const { id, deviceId, latitude, longitude } = alarm
    const point = latitude === null || longitude === null ? null : { latitude, longitude }
    this.live.publishNews({ name: 'alarm', id, deviceId, point, item: () => toAlarmJson(alarm) })
  }
}
