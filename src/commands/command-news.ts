import type { LiveNews } from '../live/live-feed.js'
import type { Command } from '../model/command.js'
import { toCommandJson } from './command.schema.js'

/** What watchers are told of a command: the item as REST shows it. */
export function toCommandNews(command: Command): LiveNews {
  const { id, deviceId } = command
  return { name: 'command', id, deviceId, point: null, item: () => toCommandJson(command) }
}
