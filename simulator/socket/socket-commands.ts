import type { Socket } from 'socket.io-client'
import type { CommandReply } from '../../src/model/command.js'
import type { UnitCommand, UnitCommandResult } from '../unit/unit-command.js'
import type { CommandLine, Delivery } from '../unit/unit-transport.js'
import { commandOf, wireReplyOf, wireResultOf } from './wire-command.js'

/** The event `command` and what goes back. A server sends what is waiting as soon as the link is open. */
export class SocketCommands implements CommandLine {
  private obey: ((command: UnitCommand) => CommandReply | undefined) | undefined
  private early: Array<() => void> = []

  constructor(
    socket: Socket,
    private readonly tell: (result: unknown) => Promise<Delivery<undefined>>,
  ) {
    socket.on('command', (payload: unknown, ack: unknown) => this.handle(payload, ack))
  }

  onCommand(obey: (command: UnitCommand) => CommandReply | undefined): void {
    this.obey = obey
    for (const handle of this.early.splice(0)) handle()
  }

  sendResult(result: UnitCommandResult): Promise<Delivery<undefined>> {
    return this.tell(wireResultOf(result))
  }

  private handle(payload: unknown, ack: unknown): void {
    if (this.obey === undefined) {
      this.early.push(() => this.handle(payload, ack))
      return
    }
    const command = commandOf(payload)
    const reply = command && this.obey(command)
    if (reply !== undefined && typeof ack === 'function') ack(wireReplyOf(reply))
  }
}
