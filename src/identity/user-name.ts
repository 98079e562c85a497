const NAME = /^[A-Za-z0-9._@-]{1,64}$/
/** `.` and `..` cannot stand in a URL; `system` is how the audit log calls the machine itself. */
const RESERVED = ['.', '..', 'system']

/** Whether the text may name a new user: 1..64 of letters, digits, `.`, `_`, `-`, `@`. */
export function isUserName(text: string): boolean {
  return NAME.test(text) && !RESERVED.includes(text)
}

export const MIN_PASSWORD_LENGTH = 10
export const MAX_PASSWORD_LENGTH = 200
