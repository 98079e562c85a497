import { SetMetadata } from '@nestjs/common'

export const WRITES_NOTHING = 'milepost:writes-nothing'

/** Marks a route that stores nothing, whatever its method says: it is served when the disk is full, too. */
export const WritesNothing = () => SetMetadata(WRITES_NOTHING, true)
