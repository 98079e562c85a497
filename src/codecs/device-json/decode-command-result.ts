import type { CommandReply, CommandResult } from '../../model/command.js'
import type { DeviceId } from '../../model/device-id.js'

/** More characters of a result or message than this are not kept. */
export const MAX_RESULT_CHARACTERS = 16_384
export const MAX_MESSAGE_CHARACTERS = 1000
/** What is nested deeper than this is not kept either: it may be read, but cannot always be written down again. */
export const MAX_RESULT_DEPTH = 100
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for; a database may end a text at the first one
const UNREADABLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g
const HALF_OF_A_PAIR = /\p{Cs}/gu

type Fields = Readonly<Record<string, unknown>>

/**
 * Decodes what a unit answers a command with: `{status: "accepted"|"done"|"failed", result?, message?}`. A result that
 * is too large is left out, which the reply says, and a message is cut: the state matters more.
 * @returns undefined for anything else, which counts as no answer
 */
export function decodeCommandReply(answer: unknown): CommandReply | undefined {
  if (!isFields(answer)) return undefined
  const { status } = answer
  if (status !== 'accepted' && status !== 'done' && status !== 'failed') return undefined
  return boundCommandReply(status, answer.result ?? null, answer.message)
}

/** What is kept of a unit's answer, however much it says. */
export function boundCommandReply(status: CommandReply['status'], result: unknown, message: unknown): CommandReply {
  const isKept = isSmallEnough(result)
  const reply: CommandReply = { status, result: isKept ? result : null, message: messageOf(message) }
  return isKept ? reply : { ...reply, isResultLeftOut: true }
}

/**
 * Decodes what a unit says later: `{id, status: "done"|"failed", result?, message?}`.
 * @returns undefined when it is not that
 */
export function decodeCommandResult(body: unknown, deviceId: DeviceId): CommandResult | undefined {
  if (!isFields(body) || typeof body.id !== 'string') return undefined
  const reply = decodeCommandReply(body)
  if (reply === undefined || reply.status === 'accepted') return undefined
  return { ...reply, id: body.id, deviceId, status: reply.status }
}

function isSmallEnough(result: unknown): boolean {
  return !isNestedDeeper(result, MAX_RESULT_DEPTH) && JSON.stringify(result).length <= MAX_RESULT_CHARACTERS
}

function messageOf(value: unknown): string | null {
  if (typeof value !== 'string') return null
  const readable = value.slice(0, MAX_MESSAGE_CHARACTERS).replace(UNREADABLE, '').replace(HALF_OF_A_PAIR, '\ufffd')
  return readable === '' ? null : readable
}

function isNestedDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((inner) => isNestedDeeper(inner, levels - 1))
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
