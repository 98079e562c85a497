import type { CommandReply } from '../../src/model/command.js'
import { parseTime } from '../../src/model/time.js'
import type { Clock } from '../clock.js'
import type { CommandBook, KeptCommand } from './command-book.js'
import type { CourierQueue } from './courier.js'
import type { LinkRider } from './link-rider.js'
import { count, type Tally } from './tally.js'
import { type CommandEnd, doneWith, failedBecause, type UnitCommand, type UnitCommandResult } from './unit-command.js'
import type { UnitLink } from './unit-transport.js'

/** What was recorded when, for a command that asks for it. */
export interface VideoRequest {
  readonly commandId: string
  readonly fromMs: number
  readonly toMs: number
  readonly channel: number | undefined
}

export type RestartKind = 'RESET' | 'REBOOT'

/** What commands can move in a unit. */
export interface UnitPowers {
  /** Ends the link, to come back after a while. */
  restart(kind: RestartKind): void
  /** Absent: the unit does not choose its own pace. */
  readonly setInterval?: (seconds: number) => void
  /** Absent: the unit has no camera. Calls with the id of one command more than once ask for one clip. */
  readonly requestVideo?: (request: VideoRequest) => void
}

export interface CommandDeskParts {
  readonly book: CommandBook
  readonly powers: UnitPowers
  readonly clock: Clock
  readonly tally: Tally
  /** Something ended: there may be a result to tell. */
  handleChange(): void
  handleFailure(error: unknown): void
  /** A command's work was done, for the one time that it is. */
  handleObeyed?(command: UnitCommand): void
}

const ACCEPTED: CommandReply = { status: 'accepted', result: null, message: null }
/** A restart begins when its `accepted` has left. */
const BEFORE_RESTART_MS = 250
const LONGEST_INTERVAL_S = 86_400

/**
 * Obeys commands, each once: its id is kept before anything is done, and asked again it answers from memory. What an earlier life
 * of the unit had kept and not done is done in this one.
 */
export class CommandDesk implements LinkRider {
  private readonly forgetRestarts = new Set<() => void>()
  private isStopped = false

  constructor(private readonly parts: CommandDeskParts) {}

  /** Commands whose work is not over. */
  get pending(): number {
    return this.parts.book.listUnfinished().length
  }

  /** Takes up what an earlier life of the unit left. */
  resume(): void {
    const { book, powers } = this.parts
    const interval = book.findLastDone('SET_INTERVAL')
    if (interval !== undefined) powers.setInterval?.(Number(interval.params.seconds))
    for (const { command, phase } of book.listUnfinished()) {
      if (phase === 'kept') this.obey(command, false)
      else if (command.type === 'REQUEST_VIDEO') this.goOnWithVideo(command)
    }
  }

  /** A restart that was begun is over when there is a link again. */
  handleLink(link: UnitLink): void {
    link.commands?.onCommand((command) => this.handle(command))
    for (const { command, phase } of this.parts.book.listUnfinished()) {
      const isRestart = command.type === 'RESET' || command.type === 'REBOOT'
      if (isRestart && phase === 'begun') this.end(command.id, doneWith(null, 'restarted'))
    }
  }

  async handleLinkEnd(): Promise<void> {}

  stop(): void {
    this.isStopped = true
    for (const forget of this.forgetRestarts) forget()
  }

  /** The work of a command that was accepted is over. One that has ended already stays as it is. */
  end(id: string, end: CommandEnd): void {
    const { book, handleChange } = this.parts
    if (book.find(id)?.phase === 'ended') return
    book.end(id, end, false)
    handleChange()
  }

  /** @returns undefined: it could not be kept, so nothing is done and nothing answered */
  private handle(command: UnitCommand): CommandReply | undefined {
    const { book, tally } = this.parts
    if (this.isStopped) return undefined
    const known = book.find(command.id)
    if (known !== undefined) {
      tally.commandsRepeated++
      return replyOf(known)
    }
    try {
      book.keep(command)
      tally.commands++
      return this.obey(command, true)
    } catch (error) {
      this.parts.handleFailure(error)
      return undefined
    }
  }

  /** @param isAsked the server waits for the answer; else an end has to be told */
  private obey(command: UnitCommand, isAsked: boolean): CommandReply {
    const end = this.obeyAtOnce(command)
    if (end === undefined) return ACCEPTED
    this.parts.book.end(command.id, end, isAsked)
    this.noteObeyed(command)
    return end
  }

  /** @returns undefined: the work takes its time */
  private obeyAtOnce(command: UnitCommand): CommandEnd | undefined {
    switch (command.type) {
      case 'RESET':
      case 'REBOOT':
        this.beginRestart(command, command.type)
        return undefined
      case 'SET_INTERVAL':
        return this.setInterval(command)
      case 'REQUEST_VIDEO':
        return this.beginVideo(command)
      case 'CUSTOM':
        return echo(command.params.text)
      default: // SET_SERVER too: whoever may command a simulator shall not send its trucks to another host
        return failedBecause('not_supported')
    }
  }

  private beginRestart(command: UnitCommand, kind: RestartKind): void {
    const { book, clock, powers } = this.parts
    const forget = clock.after(BEFORE_RESTART_MS, () => {
      this.forgetRestarts.delete(forget)
      try {
        book.begin(command.id)
        this.noteObeyed(command)
        powers.restart(kind)
      } catch (error) {
        this.parts.handleFailure(error)
      }
    })
    this.forgetRestarts.add(forget)
  }

  /** The setting is what the book says was done: there is no moment between the two. */
  private setInterval({ params }: UnitCommand): CommandEnd {
    const { powers } = this.parts
    const { seconds } = params
    if (powers.setInterval === undefined) return failedBecause('not_supported')
    if (typeof seconds !== 'number' || !(seconds > 0 && seconds <= LONGEST_INTERVAL_S)) {
      return failedBecause('invalid_params')
    }
    powers.setInterval(seconds)
    return doneWith({ seconds })
  }

  private beginVideo(command: UnitCommand): CommandEnd | undefined {
    const { book, powers } = this.parts
    const { params } = command
    const fromMs = parseTime(params.from)
    const toMs = parseTime(params.to)
    if (powers.requestVideo === undefined) return failedBecause('no_camera')
    if (fromMs === undefined || toMs === undefined || toMs <= fromMs) return failedBecause('invalid_params')
    if (book.find(command.id)?.phase === 'kept') {
      book.begin(command.id)
      this.noteObeyed(command)
    }
    const channel = typeof params.channel === 'number' ? params.channel : undefined
    powers.requestVideo({ commandId: command.id, fromMs, toMs, channel })
    return undefined
  }

  /** This life may lack the camera that an earlier one had. */
  private goOnWithVideo(command: UnitCommand): void {
    const end = this.beginVideo(command)
    if (end !== undefined) this.end(command.id, end)
  }

  private noteObeyed(command: UnitCommand): void {
    count(this.parts.tally.commandsObeyed, command.type)
    this.parts.handleObeyed?.(command)
  }
}

/** The ends that the server has to be told, one after the other. */
export class UntoldResults implements CourierQueue<UnitCommandResult> {
  private readonly taken = new Set<string>()

  constructor(private readonly book: CommandBook) {}

  get pending(): number {
    return this.book.listUntold().length
  }

  take(): UnitCommandResult | undefined {
    const next = this.book.listUntold().find(({ command }) => !this.taken.has(command.id))
    if (next?.end === undefined) return undefined
    this.taken.add(next.command.id)
    return { id: next.command.id, ...next.end }
  }

  giveBack({ id }: UnitCommandResult): void {
    this.taken.delete(id)
  }

  settle({ id }: UnitCommandResult): void {
    this.book.noteTold(id)
    this.taken.delete(id)
  }
}

function replyOf({ end }: KeptCommand): CommandReply {
  return end ?? ACCEPTED
}

function echo(text: unknown): CommandEnd {
  if (typeof text !== 'string') return failedBecause('invalid_params')
  return /^fail(\s|$)/.test(text) ? failedBecause(text.slice(5).trim() || 'failed_as_asked') : doneWith(text)
}
