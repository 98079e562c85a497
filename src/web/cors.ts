import type { AppConfig } from '../config/app-config.js'

/** Headers of answers that pages of other origins may read. */
export const EXPOSED_HEADERS = [
  'Accept-Ranges',
  'Allow',
  'Content-Disposition',
  'Content-Range',
  'ETag',
  'Idempotent-Replayed',
  'Location',
  'RateLimit-Limit',
  'RateLimit-Remaining',
  'RateLimit-Reset',
  'Retry-After',
  'Tus-Extension',
  'Tus-Max-Size',
  'Tus-Resumable',
  'Tus-Version',
  'Upload-Expires',
  'Upload-Length',
  'Upload-Metadata',
  'Upload-Offset',
  'Video-Id',
  'WWW-Authenticate',
]

/** Origins whose pages may call us, as `cors` packages take them; undefined: none. */
export function allowedOrigins(config: AppConfig): '*' | string[] | undefined {
  const { CORS_ORIGINS } = config
  if (CORS_ORIGINS.length === 0) return undefined
  return CORS_ORIGINS.includes('*') ? '*' : [...CORS_ORIGINS]
}
