import type { LoadResult } from './load.js'
import type { Service } from './services.js'
import type { Watched } from './watched-phase.js'

/** What does not need a store, and goes on while it is away. */
export const GO_ON: Readonly<Record<Service, readonly string[]>> = {
  sql: ['positions by socket', 'positions by HTTP'],
  mongo: ['alarms by socket', 'alarms by HTTP', 'uploads', 'reads of alarms', 'reads of videos'],
  s3: [
    'positions by socket',
    'positions by HTTP',
    'alarms by socket',
    'alarms by HTTP',
    'reads of alarms',
    'reads of devices',
    'reads of tracks',
    'reads of videos',
  ],
}
/** What does, and is refused. */
export const REFUSED: Readonly<Record<Service, readonly string[]>> = {
  // Whose track is read is looked up too.
  sql: ['alarms by socket', 'alarms by HTTP', 'uploads', 'reads of alarms', 'reads of tracks'],
  // Devices are listed with their latest positions.
  mongo: ['positions by socket', 'positions by HTTP', 'reads of tracks', 'reads of devices'],
  s3: ['uploads'],
}

/** All kinds of calls that a load makes: each goes on without some store, or is refused. */
export const KINDS: readonly string[] = [...new Set([GO_ON, REFUSED].flatMap((table) => Object.values(table).flat()))]

export function expectNothingLost(result: LoadResult): void {
  expect(result).toMatchObject({ lost: 0, doubled: 0, invented: 0, altered: 0, odd: [] })
}

export function expectGoesOn(kind: string, { calls }: Watched): void {
  const { done = 0, refused = 0 } = calls[kind] ?? {}
  expect({ kind, refused, isDone: done > 0 }).toEqual({ kind, refused: 0, isDone: true })
}
