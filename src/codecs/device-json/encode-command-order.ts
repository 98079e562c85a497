import type { CommandOrder } from '../../model/command.js'
import { formatTime } from '../../model/time.js'

/** A command as JSON units get it. */
export function encodeCommandOrder({ id, type, params, expiresAtMs }: CommandOrder): Readonly<Record<string, unknown>> {
  return { id, type, params, expiresAt: formatTime(expiresAtMs) }
}
