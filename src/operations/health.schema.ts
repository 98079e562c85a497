import { z } from 'zod'

export const livenessOut = z.object({ status: z.literal('ok') }).meta({ id: 'Liveness', examples: [{ status: 'ok' }] })

export const readinessOut = z
  .object({
    status: z.enum(['ok', 'error']),
    details: z.record(
      z.string(),
      z.object({
        status: z.enum(['ok', 'error']),
        message: z.string().nullable().describe('why it does not work, or what else is to be known'),
      }),
    ),
  })
  .meta({
    id: 'Readiness',
    examples: [
      {
        status: 'error',
        details: {
          sql: { status: 'ok', message: null },
          positions: { status: 'error', message: 'no answer within 2000 ms' },
          quarantine: { status: 'ok', message: null },
          disk: { status: 'ok', message: null },
        },
      },
    ],
  })
