import { setTimeout as sleep } from 'node:timers/promises'
import type { RunningApp } from './app.js'

const WITHIN_MS = 10_000

/** A frame as the API shows it. */
export interface FrameItem {
  readonly id: string
  readonly at: string
  readonly direction: 'in' | 'out'
  readonly protocol: string
  readonly link: string
  readonly hex: string
}

export const framesPath = (deviceId: string, query = '') => `/api/v1/devices/${deviceId}/frames${query}`

/** All frames of a device, newest first, once there are so many. @throws Error when they do not come, or more are there */
export async function archivedOf({ api, admin }: RunningApp, deviceId: string, count: number): Promise<FrameItem[]> {
  const untilMs = performance.now() + WITHIN_MS
  for (;;) {
    const { status, body } = await api.get<{ items?: FrameItem[] }>(framesPath(deviceId, '?limit=500'), admin)
    const { items = [] } = body
    if (items.length === count) return items
    if (items.length > count || performance.now() > untilMs)
      throw new Error(`${count} frames were awaited: ${status} ${JSON.stringify(items, null, 1)}`)
    await sleep(50)
  }
}

/** Direction and bytes of each, oldest first. */
export function spokenIn(items: readonly FrameItem[]): string[] {
  return [...items].reverse().map(({ direction, hex }) => `${direction} ${hex}`)
}
