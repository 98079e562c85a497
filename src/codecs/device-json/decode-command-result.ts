import type { CommandReply, CommandResult } from '../../model/command.js'
import type { DeviceId } from '../../model/device-id.js'

/** More characters of a result or message than this are not kept. */
export const MAX_RESULT_CHARACTERS = 16_384
export const MAX_MESSAGE_CHARACTERS = 1000

type Fields = Readonly<Record<string, unknown>>

/**
 * Decodes what a unit answers a command with: `{status: "accepted"|"done"|"failed", result?, message?}`. What is too large is left
 * out of a reply and cut in a message: the state matters more.
 * @returns undefined for anything else, which counts as no answer
 */
export function decodeCommandReply(answer: unknown): CommandReply | undefined {
  if (!isFields(answer)) return undefined
  const { status } = answer
  if (status !== 'accepted' && status !== 'done' && status !== 'failed') return undefined
  return { status, result: resultOf(answer.result), message: messageOf(answer.message) }
}

/**
 * Decodes what a unit says later: `{id, status: "done"|"failed", result?, message?}`.
 * @returns undefined when it is not that
 */
export function decodeCommandResult(body: unknown, deviceId: DeviceId): CommandResult | undefined {
  if (!isFields(body) || typeof body.id !== 'string') return undefined
  const reply = decodeCommandReply(body)
  if (reply === undefined || reply.status === 'accepted') return undefined
  return { id: body.id, deviceId, status: reply.status, result: reply.result, message: reply.message }
}

function resultOf(value: unknown): unknown {
  if (value === undefined || value === null) return null
  const text = JSON.stringify(value)
  return text === undefined || text.length > MAX_RESULT_CHARACTERS ? null : value
}

function messageOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value.slice(0, MAX_MESSAGE_CHARACTERS) : null
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
