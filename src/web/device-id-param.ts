import { z } from 'zod'

/** Source of an expression that every device's id matches. */
export const DEVICE_ID_FORM = '[A-Za-z0-9._-]{1,64}'

/** The same for a new one: `.` and `..` cannot stand in a path. */
export const NEW_DEVICE_ID_PATTERN = `^(?!\\.{1,2}$)${DEVICE_ID_FORM}$`

/** A device's id in a path. What cannot be one is not found. */
export const deviceIdParam = z
  .string()
  .regex(new RegExp(`^${DEVICE_ID_FORM}$`))
  .meta({ description: 'IMEI, or the name of a device without one', examples: ['350123451234567'] })
