import { z } from 'zod'

/** A device's id in a path. What cannot be one is not found. */
export const deviceIdParam = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,64}$/)
  .meta({ description: 'IMEI, or the name of a device without one', examples: ['350123451234567'] })
