import { z } from 'zod'
import type { CommandReply } from '../../src/model/command.js'
import type { UnitCommand, UnitCommandResult } from '../unit/unit-command.js'

const Command = z.object({
  id: z.string().min(1),
  type: z.string(),
  params: z.record(z.string(), z.unknown()).nullish(),
})

/** @returns undefined: not a command that could be answered */
export function commandOf(payload: unknown): UnitCommand | undefined {
  const { data } = Command.safeParse(payload)
  return data && { id: data.id, type: data.type, params: data.params ?? {} }
}

/** As JSON units send it: what there is not is left out. */
export function wireReplyOf({ status, result, message }: CommandReply) {
  return { status, ...(result === null ? {} : { result }), ...(message === null ? {} : { message }) }
}

export function wireResultOf(result: UnitCommandResult) {
  return { id: result.id, ...wireReplyOf(result) }
}
