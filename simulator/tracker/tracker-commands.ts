import { randomUUID } from 'node:crypto'
import type { CommandReply } from '../../src/model/command.js'
import type { UnitCommand } from '../unit/unit-command.js'
import type { CommandLine, Delivery } from '../unit/unit-transport.js'
import type { Incoming } from './dialect.js'

type Order = Extract<Incoming, { kind: 'command' }>

/** Orders over a tracker's link. They have no numbers of the server and never come twice: each is one of its own. */
export class TrackerCommands implements CommandLine {
  private obey: ((command: UnitCommand) => CommandReply | undefined) | undefined
  private readonly early: Order[] = []

  constructor(private readonly answer: (order: Order, reply: CommandReply) => void) {}

  onCommand(obey: (command: UnitCommand) => CommandReply | undefined): void {
    this.obey = obey
    for (const order of this.early.splice(0)) this.take(order)
  }

  /** Ends that came later cannot be told: no brand has a message for them. */
  async sendResult(): Promise<Delivery<undefined>> {
    return { kind: 'settled', answer: undefined }
  }

  take(order: Order): void {
    if (this.obey === undefined) {
      this.early.push(order)
      return
    }
    const reply = this.obey({ id: `tracker-${randomUUID()}`, ...order.command })
    if (reply !== undefined) this.answer(order, reply)
  }
}
