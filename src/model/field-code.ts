/** What can be wrong with one field: stable code → in words. `docs/errors.md` repeats the table and a test keeps the two equal. */
export const FIELD_CODES = {
  missing: 'it must be there and is not',
  unknown_field: 'there is no such field here',
  invalid_type: 'of another JSON type than it must be',
  too_small: 'below the least value, or shorter than it may be',
  too_big: 'over the greatest value, or longer than it may be',
  invalid_value: 'not one of the values it may have, or not of their form; the message says what they are',
  invalid_time: 'not ISO 8601 with a time and an offset, nor epoch milliseconds',
  invalid_imei: 'not an IMEI, nor a name that a device may have',
  invalid_cursor: 'not a cursor that this list gave out',
  invalid_digest: 'not a `Content-Digest` with a SHA-256',
  invalid_file_name: 'not a name that a file may have',
  unknown_alarm_type: 'none of the types of alarms',
  invalid_field: '(what units send) of another type or range than it must be; the message says which',
  attributes_too_large: '(what units send) over 50 values or 4 kB',
  unknown_user: 'there is no user of this name, or it is disabled',
} as const satisfies Record<string, string>

export type FieldCode = keyof typeof FIELD_CODES

export function isFieldCode(code: unknown): code is FieldCode {
  return typeof code === 'string' && Object.hasOwn(FIELD_CODES, code)
}
