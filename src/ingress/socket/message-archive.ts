import { Injectable } from '@nestjs/common'
import type { DeviceId } from '../../model/device-id.js'
import { RawArchive } from '../../pipeline/raw-archive.js'

/** What may hold no token, and is archived whole; of any other event only its name is. */
const PLAIN_EVENTS: ReadonlySet<string> = new Set(['location', 'alarm', 'command', 'command:result', 'closing'])
const MOST_NAME_CHARACTERS = 50
/** Longer ones are cut: a page of them is to fit into memory. */
export const MOST_MESSAGE_BYTES = 65_536

/** What goes over one unit's socket, on its way to the archive. Nothing here throws or waits. */
export interface SocketMessages {
  /** What the unit sent, or was sent. */
  event(direction: 'in' | 'out', event: unknown, payload: unknown): void
  /** What an event was answered with; of one that came in it goes out. */
  answer(direction: 'in' | 'out', event: unknown, answer: unknown): void
}

/**
 * The messages of sockets, as JSON: `{"event": …, "payload": …}` and `{"event": …, "answer": …}`. How events and answers are numbered on
 * the wire is not kept.
 */
@Injectable()
export class MessageArchive {
  private links = 0

  constructor(private readonly archive: RawArchive) {}

  /** @returns undefined: those of sockets are not archived */
  open(deviceId: DeviceId): SocketMessages | undefined {
    if (this.archive.takes !== 'all') return undefined
    this.links++
    const link = `socket#${this.links}`
    const keep = (direction: 'in' | 'out', message: object) => {
      const bytes = encode(message)
      if (bytes === undefined) this.archive.drop('unwritable')
      else this.archive.keep({ deviceId, atMs: Date.now(), direction, protocol: 'socket', link, bytes })
    }
    return {
      event: (direction, event, payload) =>
        keep(direction, isPlain(event) ? { event, payload } : { event: nameOf(event) }),
      answer: (direction, event, answer) => keep(direction, { event: nameOf(event), answer }),
    }
  }
}

function isPlain(event: unknown): boolean {
  return typeof event === 'string' && PLAIN_EVENTS.has(event)
}

function nameOf(event: unknown): string {
  return String(event).slice(0, MOST_NAME_CHARACTERS)
}

/** @returns undefined: what was read may still be impossible to write, such as JSON nested some thousands deep */
function encode(message: object): Buffer | undefined {
  try {
    return Buffer.from(JSON.stringify(message)).subarray(0, MOST_MESSAGE_BYTES)
  } catch {
    return undefined
  }
}
