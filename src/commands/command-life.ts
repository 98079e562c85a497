import {
  type CommandParams,
  type CommandReply,
  type CommandResult,
  type CommandStatus,
  type CommandType,
  hasEnded,
} from '../model/command.js'
import type { DeviceId } from '../model/device-id.js'
import type { CommandRecord } from '../storage/sql/command-records.js'

/** Nobody waits longer for the reply to a command that went out on a link that does not carry ids. */
export const REPLY_WITHIN_MS = 60_000
/** A command that goes out again and again is noted so often; a unit that never answers would fill the history. */
export const MAX_RESENDS_NOTED = 20
/** What a unit may answer by ending its link. */
const RESTARTS: ReadonlySet<CommandType> = new Set(['RESET', 'REBOOT'])

/** Who wants what of which device. */
export interface CommandWish {
  readonly deviceId: DeviceId
  readonly type: CommandType
  readonly params: CommandParams
  readonly ttlMs: number
  readonly createdBy: string
}

/**
 * The life of a command, as rules: each takes a command as it is and gives it as it is after something happened, or undefined when
 * that changes nothing. Times of a history never go back, whatever the clock does.
 */
export function begin({ ttlMs, ...wish }: CommandWish, nowMs: number): Omit<CommandRecord, 'id' | 'revision'> {
  return {
    ...wish,
    status: 'queued',
    createdAtMs: nowMs,
    expiresAtMs: nowMs + ttlMs,
    result: null,
    message: null,
    history: [{ atMs: nowMs, status: 'queued', detail: null }],
    delivery: null,
    dueAtMs: nowMs + ttlMs,
  }
}

/**
 * It is about to be given to its unit.
 * @param carriesIds whether the link does, so that it may be given again
 */
export function send(command: CommandRecord, carriesIds: boolean, nowMs: number): CommandRecord | undefined {
  if (command.status !== 'queued') return undefined
  const sent = step(command, 'sent', null, nowMs)
  if (carriesIds) return { ...sent, delivery: 'repeatable', dueAtMs: command.expiresAtMs }
  return { ...sent, delivery: 'once', dueAtMs: Math.min(command.expiresAtMs, nowMs + REPLY_WITHIN_MS) }
}

/** It is about to be given to its unit once more. */
export function resend(command: CommandRecord, nowMs: number): CommandRecord | undefined {
  if (command.status !== 'sent' || command.delivery !== 'repeatable') return undefined
  if (command.history.filter(({ detail }) => detail === 'resent').length >= MAX_RESENDS_NOTED) return undefined
  return step(command, 'sent', 'resent', nowMs)
}

/** The unit answered it. */
export function answer(
  command: CommandRecord,
  reply: CommandReply,
  resultTimeoutMs: number,
  nowMs: number,
): CommandRecord | undefined {
  const { status, message } = reply
  if (status !== 'accepted') return settle(command, { ...reply, status }, nowMs)
  if (command.status !== 'queued' && command.status !== 'sent') return undefined
  return { ...step(command, 'accepted', null, nowMs), message, dueAtMs: nowMs + resultTimeoutMs }
}

/**
 * The unit said how it ended. After the end that is noted, as `late_done` or `late_failed` and each once, and changes nothing; the end
 * itself said again is nothing new.
 */
export function settle(
  command: CommandRecord,
  { status, result, message, isResultLeftOut }: Omit<CommandResult, 'id' | 'deviceId'>,
  nowMs: number,
): CommandRecord | undefined {
  if (!hasEnded(command.status)) {
    return { ...end(command, status, isResultLeftOut ? 'result_left_out' : null, nowMs), result, message }
  }
  const isTheEnd = command.status === status && command.message === message && isSame(command.result, result)
  const note = `late_${status}`
  const isNoted = command.history.some(({ detail }) => detail === note)
  return isTheEnd || isNoted ? undefined : step(command, command.status, note, nowMs)
}

/** Its time has come: it expires, or nobody waits for its reply or result any longer. */
export function lapse(command: CommandRecord, nowMs: number): CommandRecord | undefined {
  const { status, dueAtMs, expiresAtMs } = command
  if (dueAtMs === null || dueAtMs > nowMs) return undefined
  if (status === 'accepted') return fail(command, 'no_result', nowMs)
  return dueAtMs < expiresAtMs ? fail(command, 'no_reply', nowMs) : end(command, 'expired', null, nowMs)
}

/** @param detail why, when no user wanted it */
export function cancel(command: CommandRecord, detail: string | null, nowMs: number): CommandRecord | undefined {
  return hasEnded(command.status) ? undefined : { ...end(command, 'cancelled', detail, nowMs), message: detail }
}

/**
 * The link that it went out on has ended. Matters only where commands carry no ids: a unit that was told to restart and ends its
 * link obeys, as far as anybody can know, and is waited for.
 */
export function loseLink(command: CommandRecord, endedBy: 'unit' | 'server', nowMs: number): CommandRecord | undefined {
  if (command.status !== 'sent' || command.delivery !== 'once') return undefined
  if (endedBy === 'server') return fail(command, 'no_reply', nowMs)
  if (!RESTARTS.has(command.type)) return undefined
  return { ...step(command, 'sent', 'link_ended', nowMs), delivery: 'restarting', dueAtMs: command.expiresAtMs }
}

/** The unit has a link that was opened at this time. */
export function findUnitBack(command: CommandRecord, openedAtMs: number, nowMs: number): CommandRecord | undefined {
  if (command.status !== 'sent' || command.delivery !== 'restarting') return undefined
  const endedAtMs = command.history.at(-1)?.atMs ?? 0
  if (openedAtMs < endedAtMs) return undefined
  return { ...end(command, 'done', 'link_restarted', nowMs), message: 'link_restarted' }
}

function fail(command: CommandRecord, reason: string, nowMs: number): CommandRecord {
  return { ...end(command, 'failed', reason, nowMs), message: reason }
}

function end(command: CommandRecord, status: CommandStatus, detail: string | null, nowMs: number): CommandRecord {
  return { ...step(command, status, detail, nowMs), dueAtMs: null }
}

function step(command: CommandRecord, status: CommandStatus, detail: string | null, nowMs: number): CommandRecord {
  const atMs = Math.max(nowMs, command.history.at(-1)?.atMs ?? 0)
  return { ...command, status, history: [...command.history, { atMs, status, detail }] }
}

/** Both have been JSON. */
function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}
