export const USER_NAME = /^[A-Za-z0-9._@-]{1,64}$/
/** `.` and `..` cannot stand in a URL; `system` is how the audit log calls the machine itself. */
export const RESERVED_USER_NAMES = ['.', '..', 'system']

/** Whether the text may name a new user: 1..64 of letters, digits, `.`, `_`, `-`, `@`. */
export function isUserName(text: string): boolean {
  return USER_NAME.test(text) && !RESERVED_USER_NAMES.includes(text)
}

export const MIN_PASSWORD_LENGTH = 10
export const MAX_PASSWORD_LENGTH = 200
