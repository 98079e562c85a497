import { Injectable, Logger } from '@nestjs/common'
import { toCommandReply } from '../../codecs/to-command-reply.js'
import type { TrackerReply } from '../../codecs/tracker-codec.js'
import { Metrics } from '../../metrics/metrics.js'
import { AppError } from '../../model/app-error.js'
import type { CommandResult } from '../../model/command.js'
import type { DeviceId } from '../../model/device-id.js'
import { CommandResults } from '../../pipeline/command-results.js'
import { SentCommands } from './sent-commands.js'

/** What became of commands to trackers, on all their connections. */
@Injectable()
export class TrackerReplies {
  private readonly logger = new Logger('trackers')

  constructor(
    private readonly sent: SentCommands,
    private readonly results: CommandResults,
    private readonly metrics: Metrics,
  ) {}

  /**
   * A device gave an answer that its connection does not wait for: to a command that was given up, or that went out on another connection.
   * It reaches its command where it names it by a number, or is the next one of a device whose connection ended before; else nobody knows
   * what it belongs to. Never throws, never waits.
   */
  handleUnasked(reply: TrackerReply, deviceId: DeviceId, protocol: string): void {
    const result = this.resultOf(reply, deviceId, protocol)
    if (result !== undefined) this.results.takeOnce(result)
  }

  /**
   * A device gave an answer that it repeats until it is acknowledged, where every command has a number. Resolves when what it says is on
   * disk, or nobody knows what command it belongs to; may be repeated when it failed.
   * @throws AppError `store_unavailable` | `disk_full` | `overloaded`: it may not be acknowledged
   */
  async settle(reply: TrackerReply, deviceId: DeviceId, protocol: string): Promise<void> {
    const result = this.resultOf(reply, deviceId, protocol)
    if (result !== undefined) await this.results.take(result).catch(allowMissing)
  }

  /** @returns undefined: nobody knows what command it belongs to, which is counted */
  private resultOf(reply: TrackerReply, deviceId: DeviceId, protocol: string): CommandResult | undefined {
    const { key, status } = reply
    const id = this.sent.claim(deviceId, key)
    if (id !== undefined && status !== 'accepted') return { ...toCommandReply(reply), id, deviceId, status }
    this.metrics.trackerRepliesUnasked.inc({ protocol })
    this.logger.debug({ event: 'tracker_reply_unasked', protocol, deviceId, key })
    return undefined
  }
}

/** A command that was erased meanwhile has nothing to be noted with. */
function allowMissing(error: unknown): void {
  if (!(error instanceof AppError) || error.code !== 'command_not_found') throw error
}
