import type { FastifyReply } from 'fastify'
import { AppError } from '../../model/app-error.js'
import type { DeviceId } from '../../model/device-id.js'
import type { EventLimiter } from '../event-limiter.js'

/**
 * Counts a request as one event of the device, and tells it in headers what is left.
 * @throws AppError `too_many_requests`
 */
export function limitEvents(limiter: EventLimiter, deviceId: DeviceId, reply: FastifyReply): void {
  if (limiter.isOff) return
  const { isAllowed, limit, remaining, resetMs, retryAfterMs } = limiter.take(deviceId)
  void reply.headers({
    'ratelimit-limit': limit,
    'ratelimit-remaining': remaining,
    'ratelimit-reset': Math.ceil(resetMs / 1000),
  })
  if (!isAllowed) throw new AppError('too_many_requests', 'Too many events of this device', { retryAfterMs })
}
