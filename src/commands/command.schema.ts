import { z } from 'zod'
import {
  COMMAND_STATUSES,
  COMMAND_TYPES,
  type Command,
  type CommandParams,
  type CommandType,
} from '../model/command.js'
import { formatTime } from '../model/time.js'
import { cursorIn, limitIn, pageOut, readableIn, severalIn, timeInBody, timeOut } from '../web/schemas.js'

const DAY_S = 86_400
export const MAX_TTL_S = 7 * DAY_S
/** More video than this is not asked for at once. */
const MAX_VIDEO_SPAN_MS = DAY_S * 1000
const MAX_CUSTOM_CHARACTERS = 1000

const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?'
/** What is no address has a last label that begins with a letter. */
const NAME = `(?:${LABEL}\\.){0,30}[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?`
const OCTET = '(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])'
const HEXTET = '[0-9A-Fa-f]{1,4}'
const IPV6 = [
  `(?:${HEXTET}:){7}${HEXTET}`,
  ...[1, 2, 3, 4, 5, 6].map((after) => `(?:${HEXTET}:){1,${7 - after}}(?::${HEXTET}){1,${after}}`),
  `(?:${HEXTET}:){1,7}:`,
  `:(?::${HEXTET}){1,7}`,
].join('|')
const HOST = new RegExp(`^(?:${NAME}|${OCTET}(?:\\.${OCTET}){3}|${IPV6})$`)

const TTL_WORDS = `must be a whole number of seconds, 1 to ${MAX_TTL_S}`
const ttlSeconds = z
  .int(TTL_WORDS)
  .min(1, TTL_WORDS)
  .max(MAX_TTL_S, TTL_WORDS)
  .default(DAY_S)
  .describe('How long the unit may take to answer, before the command expires')

/** One kind of command. */
const wish = <Type extends CommandType, Params extends z.ZodType>(type: Type, params: Params) =>
  z.strictObject({ type: z.literal(type), params, ttlSeconds })

const noParams = z.strictObject({}).optional().describe('There are none')

const videoParams = z
  .strictObject({
    from: timeInBody(),
    to: timeInBody(),
    channel: z.int().min(0).max(255).optional().describe('Of several cameras; absent: the main one'),
  })
  .superRefine(({ from, to }, context) => {
    if (from >= to) context.addIssue({ code: 'custom', path: ['from'], message: 'must be before to' })
    else if (to - from > MAX_VIDEO_SPAN_MS) {
      context.addIssue({ code: 'custom', path: ['to'], message: 'must be within 24 hours of from' })
    }
  })

export const newCommandIn = z
  .discriminatedUnion('type', [
    wish('RESET', noParams),
    wish('REBOOT', noParams),
    wish('SET_INTERVAL', z.strictObject({ seconds: z.int().min(1).max(DAY_S).describe('Between two positions') })),
    wish(
      'SET_SERVER',
      z.strictObject({
        host: z.string().regex(HOST, 'must be a host name or an IP address').meta({ maxLength: 253 }).max(253),
        port: z.int().min(1).max(65_535),
      }),
    ),
    wish('REQUEST_VIDEO', videoParams),
    wish(
      'CUSTOM',
      z.strictObject({ text: readableIn(1, MAX_CUSTOM_CHARACTERS).describe('As the unit understands it') }),
    ),
  ])
  .meta({
    id: 'NewCommand',
    description:
      '`RESET` restarts the software of the unit, `REBOOT` its hardware; neither erases its settings. `SET_INTERVAL {seconds}`, `SET_SERVER {host, port}`, `REQUEST_VIDEO {from, to, channel?}` (at most 24 hours), `CUSTOM {text}`.',
    example: { type: 'RESET', ttlSeconds: 3600 },
  })

export const commandListIn = z.strictObject({
  status: severalIn(z.enum(COMMAND_STATUSES)).describe('Only those in one of these states'),
  limit: limitIn(),
  cursor: cursorIn(),
})

/** A command's id in a path. What cannot be one is not found. */
export const commandIdParam = z
  .string()
  .regex(/^[0-9a-f]{32}$/)
  .meta({ description: 'Id of the command', examples: ['019ab2f4c3e8000001d2c3b4a5968778'] })

const EXAMPLE = {
  id: '019ab2f4c3e8000001d2c3b4a5968778',
  deviceId: '350123451234567',
  type: 'RESET',
  params: {},
  status: 'done',
  createdBy: 'anna',
  createdAt: '2026-11-22T07:30:00.000Z',
  expiresAt: '2026-11-22T08:30:00.000Z',
  result: null,
  message: 'restarted',
  history: [
    { at: '2026-11-22T07:30:00.000Z', status: 'queued', detail: null },
    { at: '2026-11-22T07:30:00.012Z', status: 'sent', detail: null },
    { at: '2026-11-22T07:30:00.160Z', status: 'accepted', detail: null },
    { at: '2026-11-22T07:30:21.480Z', status: 'done', detail: null },
  ],
}

export const commandOut = z
  .object({
    id: z.string(),
    deviceId: z.string(),
    type: z.enum(COMMAND_TYPES),
    params: z.record(z.string(), z.unknown()).describe('Empty where the type has none'),
    status: z
      .enum(COMMAND_STATUSES)
      .describe('queued → sent → accepted → done or failed; or expired, or cancelled. accepted may be left out'),
    createdBy: z.string().describe('Username'),
    createdAt: timeOut(),
    expiresAt: timeOut().describe('A command that the unit has not answered by then expires'),
    result: z
      .unknown()
      .describe(
        'What the unit gave with the end, any JSON up to 16,384 characters; null: nothing, or more, which `history` then says',
      ),
    message: z
      .string()
      .nullable()
      .describe(
        'In words of the unit, or the reason: no_reply, no_result, link_restarted, device_deleted, or unsupported_command and why',
      ),
    history: z
      .array(
        z.object({
          at: timeOut(),
          status: z.enum(COMMAND_STATUSES).describe('After the step'),
          detail: z
            .string()
            .nullable()
            .describe(
              'resent, link_ended, link_restarted, no_reply, no_result, result_left_out, late_done, late_failed, device_deleted; null: nothing to add',
            ),
        }),
      )
      .describe('Oldest first'),
  })
  .meta({ id: 'Command', examples: [EXAMPLE] })

export const commandPageOut = pageOut(commandOut).meta({ id: 'CommandPage' })

export type NewCommandIn = z.output<typeof newCommandIn>
export type CommandListIn = z.output<typeof commandListIn>
export type CommandJson = z.output<typeof commandOut>

/** The parameters as they are kept and as the unit gets them: times as every answer carries them. */
export function toCommandParams(wanted: NewCommandIn): CommandParams {
  if (wanted.type !== 'REQUEST_VIDEO') return { ...wanted.params }
  const { from, to, channel } = wanted.params
  return { from: formatTime(from), to: formatTime(to), ...(channel === undefined ? {} : { channel }) }
}

/** What users are shown of a command. */
export function toCommandJson(command: Command): CommandJson {
  const { id, deviceId, type, params, status, createdBy, createdAtMs, expiresAtMs, result, message, history } = command
  return {
    id,
    deviceId,
    type,
    params: { ...params },
    status,
    createdBy,
    createdAt: formatTime(createdAtMs),
    expiresAt: formatTime(expiresAtMs),
    result: result ?? null,
    message,
    history: history.map((step) => ({ at: formatTime(step.atMs), status: step.status, detail: step.detail })),
  }
}
