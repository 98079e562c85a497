import type { CommandOrder } from '../model/command.js'
import type { CommandTarget } from './tracker-codec.js'
import { TRACKER_CODECS } from './tracker-codecs.js'

/** A command, and the device that it is for. */
type Question = Pick<CommandOrder, 'type' | 'params'> & {
  readonly deviceId: string
  readonly model: string | null
  readonly commandPassword: string | null
}

/** @returns why the protocol of trackers has nothing for the command; undefined: it has, or is none of those that are known here */
export function findUnsupported(
  protocol: string,
  { type, params, deviceId, model, commandPassword }: Question,
): string | undefined {
  const codec = TRACKER_CODECS.find((one) => one.protocol === protocol)
  const target: CommandTarget = { imei: deviceId, model, password: commandPassword, serial: 0 }
  const encoded = codec?.encodeCommand({ type, params }, target)
  return encoded !== undefined && 'unsupported' in encoded ? encoded.unsupported : undefined
}
