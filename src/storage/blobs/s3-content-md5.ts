import { createHash } from 'node:crypto'
import type { S3Client } from '@aws-sdk/client-s3'

/** Requests whose bodies the SDK makes, and that servers want a digest of. Many know this one only; AWS knows it, too. */
const WITH_DIGEST = new Set(['DeleteObjectsCommand'])

/** Gives the requests of a client that need it the digest that every S3 server knows. */
export function withContentMd5(client: S3Client): void {
  client.middlewareStack.add(
    (next, context) => (args) => {
      const request = args.request as { body?: unknown; headers?: Record<string, string> }
      if (WITH_DIGEST.has(context.commandName ?? '') && typeof request.body === 'string' && request.headers)
        request.headers['content-md5'] = createHash('md5').update(request.body).digest('base64')
      return next(args)
    },
    { name: 'withContentMd5', step: 'build', priority: 'low' },
  )
}
