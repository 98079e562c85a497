import { applyDecorators, SetMetadata } from '@nestjs/common'
import { ApiHeader } from '@nestjs/swagger'
import { Refuses } from '../web/answers.js'

export const IDEMPOTENT = 'milepost:idempotent'

/**
 * For POST routes of users that create something: a repeat with the same `Idempotency-Key` within 24 h gets the first answer
 * again instead of doing the thing twice. Not for routes that stream their body or answer.
 */
export const Idempotent = () =>
  applyDecorators(
    SetMetadata(IDEMPOTENT, true),
    ApiHeader({
      name: 'Idempotency-Key',
      required: false,
      description:
        'Chosen by the client, 1..255 printable ASCII characters. A repeat within 24 h with the same key and body is answered as the first was, with `Idempotent-Replayed: true`.',
      schema: { type: 'string', pattern: '^[!-~](?:[ -~]{0,253}[!-~])?$' },
    }),
    Refuses('invalid_request', 'idempotency_key_reused', 'idempotency_in_progress'),
  )
