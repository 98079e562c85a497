import { AppError } from '../../model/app-error.js'

const NAME = 'Content-Digest'
const KEY = '[a-z*][a-z0-9_.*-]*'
const BARE_ITEM =
  ':[A-Za-z0-9+/=]*:|"(?:[ !#-\\[\\]-~]|\\\\["\\\\])*"|\\?[01]|-?[0-9]{1,15}(?:\\.[0-9]{1,3})?|[A-Za-z*][!#$%&\'*+.^_`|~:/0-9A-Za-z-]*'
const PARAMETERS = `(?:; *${KEY}(?:=(?:${BARE_ITEM}))?)*`
/** One member of a dictionary of RFC 8941. */
const MEMBER = new RegExp(`[ \\t]*(${KEY})(?:=(${BARE_ITEM}))?${PARAMETERS}[ \\t]*(,|$)`, 'y')
const ANY_MEMBER = `[ \\t]*${KEY}(?:=(?:${BARE_ITEM}))?${PARAMETERS}[ \\t]*`
/** What any such header looks like, for the documentation. */
export const CONTENT_DIGEST_PATTERN = `^${ANY_MEMBER}(?:,${ANY_MEMBER})*$`
const SHA_256 = /^:([A-Za-z0-9+/]{43}=):$/

/**
 * The SHA-256 of a `Content-Digest` header (RFC 9530). Other algorithms are left alone.
 * @returns lower-case hex, or undefined when there is none
 * @throws AppError `invalid_request` when the header is malformed
 */
export function sha256Of(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined
  const digest = membersOf([header].flat().join(', ')).get('sha-256')
  if (digest === undefined) return undefined
  const base64 = SHA_256.exec(digest)?.[1]
  if (base64 === undefined) throw malformed('sha-256 must be 32 bytes in base64 between colons')
  return Buffer.from(base64, 'base64').toString('hex')
}

/** The last one of a name counts. */
function membersOf(text: string): Map<string, string> {
  const members = new Map<string, string>()
  for (let at = 0; ; at = MEMBER.lastIndex) {
    MEMBER.lastIndex = at
    const [, key = '', value = '', end] = MEMBER.exec(text) ?? []
    if (end === undefined) throw malformed('must be a dictionary such as sha-256=:base64:')
    members.set(key, value)
    if (end === '') return members
  }
}

function malformed(message: string): AppError {
  return new AppError('invalid_request', `${NAME}: ${message}`, {
    errors: [{ path: NAME, code: 'invalid_digest', message }],
  })
}
