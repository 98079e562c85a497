import type { CommandOrder, CommandReply } from '../model/command.js'
import type { DeviceId } from '../model/device-id.js'

/** The ways in that a device may be heard on. */
export type Transport = 'socket' | 'http' | 'mqtt' | 'tcp' | 'udp'

/** Why the server ends a link; socket units are told in `closing`. */
export type ClosingCode = 'replaced' | 'token_expired' | 'device_disabled' | 'shutting_down' | 'too_many_requests'

/** Who was the first to end a link; a connection that broke was ended by the unit, as far as anybody can know. */
export type LinkEnd = 'unit' | 'server'

/** A live connection to a unit. The ingress that owns the connection implements it. */
export interface Link {
  readonly deviceId: DeviceId
  readonly transport: Transport
  readonly openedAtMs: number
  /** Whether its protocol carries command ids, so that a command may be sent again on it. */
  readonly carriesCommandIds: boolean
  /** It waits for an answer that nobody could tell from that to another command: none may be sent now. Absent: never. */
  readonly isBusy?: boolean
  /**
   * Writes a command to the unit.
   * @returns what the unit answered it with, or undefined: nothing within the time, or the link ended first. Never rejects.
   */
  sendCommand(order: CommandOrder, withinMs: number): Promise<CommandReply | undefined>
  /** Tells the unit why and ends the connection; never throws. */
  close(code: ClosingCode): void
}

/** What is known of a device's being there. Times are epoch milliseconds. */
export interface Presence {
  readonly online: boolean
  /** The way it is there now; null: it is not. */
  readonly transport: Transport | null
  /** null: not heard since this process started. */
  readonly lastSeenAtMs: number | null
  /** More than one unit seems to use this identity. */
  readonly contested: boolean
}

/** A device came or went. */
export interface PresenceChange {
  readonly deviceId: DeviceId
  readonly online: boolean
  readonly transport: Transport | null
  readonly atMs: number
}
