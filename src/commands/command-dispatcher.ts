import type { CommandOrder, CommandReply, CommandResult } from '../model/command.js'
import type { DeviceId } from '../model/device-id.js'
import type { Link, LinkEnd } from '../sessions/link.js'
import type { Sessions } from '../sessions/sessions.js'
import type { CommandRecord, CommandRecords } from '../storage/sql/command-records.js'
import type { CommandChanges } from './command-changes.js'
import { answer, findUnitBack, lapse, loseLink, REPLY_WITHIN_MS, resend, send, settle } from './command-life.js'
import { DeviceTurns } from './device-turns.js'
import { UnfinishedWork } from './unfinished-work.js'

/** A command that its unit has not answered goes out again after this, where commands carry ids. */
export const RESEND_AFTER_MS = 30_000
/** Devices that are served at the same time: enough to keep the database busy, few enough not to fill its queue. */
const DEVICES_AT_ONCE = 32
/** What was stored without a word to us is found within this: the answer of the store was lost, or another server stored it. */
export const REFRESH_EVERY_MS = 60_000

export interface DispatcherOptions {
  /** How long a unit has for the result of what it accepted. */
  readonly resultTimeoutMs: number
  /** Told of each command that goes out again. */
  readonly onResent: (command: CommandRecord) => void
  readonly now?: () => number
}

/** A command that went out and is not answered. */
interface Flight {
  readonly commandId: string
  readonly link: Link
  readonly againAtMs: number
}

/**
 * Gives commands to units: of each device one at a time, in order, at once or on its next link. It knows links and no transport.
 * That a command goes out is stored before it does; what a unit answered is stored until the store has taken it.
 */
export class CommandDispatcher {
  /** Devices that may have something queued or sent: those without cost a reconnect storm nothing. */
  private readonly waiting = new Set<DeviceId>()
  /** Links whose units can be spoken to. */
  private readonly ready = new WeakSet<Link>()
  private readonly flights = new Map<DeviceId, Flight>()
  private readonly turns = new DeviceTurns(DEVICES_AT_ONCE, (deviceId) => this.takeTurn(deviceId))
  private readonly unfinished: UnfinishedWork
  private readonly now: () => number
  private refreshAtMs = Number.POSITIVE_INFINITY

  constructor(
    private readonly records: CommandRecords,
    private readonly changes: CommandChanges,
    private readonly sessions: Sessions,
    private readonly options: DispatcherOptions,
  ) {
    this.now = options.now ?? Date.now
    this.unfinished = new UnfinishedWork(this.now)
  }

  /** Starts to give commands out. @throws AppError `store_unavailable` */
  async start(): Promise<void> {
    this.changes.onChange((after, before) => this.handleChange(after, before))
    this.sessions.onLink((link) => this.handleLink(link))
    this.sessions.onLinkEnd((link, endedBy) => this.handleLinkEnd(link, endedBy))
    for (const deviceId of await this.records.listWaitingDevices()) {
      this.waiting.add(deviceId)
      // Its unit may have come while they were listed.
      this.turns.ask(deviceId)
    }
    this.refreshAtMs = this.now() + REFRESH_EVERY_MS
  }

  /** Sends again what is due, tries again what failed, and finds what nobody told of; call it every second. */
  tick(): void {
    this.unfinished.tick()
    const now = this.now()
    if (this.refreshAtMs <= now) void this.refreshNow()
    for (const [deviceId, { againAtMs }] of this.flights) {
      // One that failed has its own pauses: a store that is away is not asked for every unit every second.
      if (againAtMs <= now && !this.unfinished.has(turnOf(deviceId))) this.turns.ask(deviceId)
    }
  }

  /**
   * A unit that does not say it again answered a command that nobody waits for any more, or on another link. It is tried until the store
   * takes it. Never throws, never waits.
   */
  handleLateResult(result: CommandResult): void {
    const isOurs = ({ deviceId }: CommandRecord) => deviceId === result.deviceId
    void this.unfinished.finish(`late ${result.id}`, () =>
      this.changes.apply(result.id, (command, nowMs) => settle(command, result, nowMs), { isOurs }),
    )
  }

  /** Nothing more goes out. */
  stop(): void {
    this.turns.stop()
    this.unfinished.stop()
  }

  /** A failed one needs no other retry than the next. */
  private async refreshNow(): Promise<void> {
    this.refreshAtMs = Number.POSITIVE_INFINITY
    await this.unfinished.finish(
      'refresh',
      () => this.refresh(),
      () => undefined,
    )
    this.refreshAtMs = this.now() + REFRESH_EVERY_MS
  }

  /** One question to the store, and one more for each unit that is there and has something to be given. */
  private async refresh(): Promise<void> {
    for (const deviceId of await this.records.listWaitingDevices()) {
      this.waiting.add(deviceId)
      this.askIfThere(deviceId)
    }
    for (const deviceId of this.flights.keys()) this.askIfThere(deviceId)
  }

  private askIfThere(deviceId: DeviceId): void {
    const link = this.sessions.linkOf(deviceId)
    if (link !== undefined && this.ready.has(link) && !this.unfinished.has(turnOf(deviceId))) this.turns.ask(deviceId)
  }

  private handleChange(after: CommandRecord, before: CommandRecord | undefined): void {
    const { deviceId } = after
    if (before === undefined) this.waiting.add(deviceId)
    const isFreed = before?.status === 'sent' && after.status !== 'sent'
    if (isFreed && this.flights.get(deviceId)?.commandId === after.id) this.flights.delete(deviceId)
    if (isFreed || before === undefined) this.turns.ask(deviceId)
  }

  private handleLink(link: Link): void {
    this.ready.add(link)
    if (this.waiting.has(link.deviceId)) this.turns.ask(link.deviceId)
  }

  private handleLinkEnd(link: Link, endedBy: LinkEnd): void {
    this.ready.delete(link)
    const { deviceId } = link
    const flight = this.flights.get(deviceId)
    if (flight?.link === link) {
      this.flights.delete(deviceId)
      if (!link.carriesCommandIds) this.noteEnd(flight.commandId, deviceId, endedBy)
    }
    // An older link of the device may be the one to speak on from now on.
    if (this.waiting.has(deviceId)) this.turns.ask(deviceId)
  }

  private noteEnd(commandId: string, deviceId: DeviceId, endedBy: LinkEnd): void {
    const endedAtMs = this.now()
    void this.unfinished.finish(`end ${commandId}`, async () => {
      await this.changes.apply(commandId, (command) => loseLink(command, endedBy, endedAtMs))
      this.turns.ask(deviceId)
    })
  }

  private takeTurn(deviceId: DeviceId): Promise<void> {
    const again = () => this.turns.ask(deviceId)
    return this.unfinished.finish(turnOf(deviceId), () => this.serve(deviceId), again)
  }

  /** Does the next step for a device that can be spoken to, if there is one. */
  private async serve(deviceId: DeviceId): Promise<void> {
    const link = this.sessions.linkOf(deviceId)
    if (link === undefined || !this.ready.has(link)) return
    const command = this.changes.seen(await this.records.findNext(deviceId))
    if (this.flights.get(deviceId)?.commandId !== command?.id) this.flights.delete(deviceId)
    if (command === undefined) {
      if (!this.turns.isAskedAgain(deviceId)) this.waiting.delete(deviceId)
      return
    }
    this.waiting.add(deviceId)
    const now = this.now()
    if (command.dueAtMs !== null && command.dueAtMs <= now) {
      await this.changes.tryApply(command, lapse)
      this.turns.ask(deviceId)
    } else if (command.status === 'queued') {
      if (!link.isBusy) await this.sendFirst(command, link)
    } else if (command.delivery === 'restarting') await this.welcomeBack(command, link)
    else if (command.delivery === 'repeatable' && link.carriesCommandIds) await this.sendAgain(command, link)
  }

  private async sendFirst(command: CommandRecord, link: Link): Promise<void> {
    const sent = await this.changes.tryApply(command, (one, nowMs) => send(one, link.carriesCommandIds, nowMs))
    if (sent === undefined) this.turns.ask(command.deviceId)
    else this.emit(sent, link)
  }

  private async sendAgain(command: CommandRecord, link: Link): Promise<void> {
    const flight = this.flights.get(command.deviceId)
    const isUnderWay = flight?.commandId === command.id && flight.link === link && flight.againAtMs > this.now()
    if (isUnderWay) return
    const isNoted = (await this.changes.tryApply(command, resend)) !== undefined
    // Not noted any more, or changed meanwhile: only what is still sent goes out again.
    const current = isNoted ? command : await this.records.find(command.id)
    if (current?.status !== 'sent') {
      this.turns.ask(command.deviceId)
      return
    }
    this.options.onResent(command)
    this.emit(command, link)
  }

  private async welcomeBack(command: CommandRecord, link: Link): Promise<void> {
    await this.changes.tryApply(command, (one, nowMs) => findUnitBack(one, link.openedAtMs, nowMs))
  }

  private emit({ id, deviceId, type, params, expiresAtMs }: CommandRecord, link: Link): void {
    if (!this.ready.has(link)) {
      // It ended while that was stored: the next link gets the command, or nobody where it could not be told whether it went out.
      this.turns.ask(deviceId)
      return
    }
    const againAtMs = link.carriesCommandIds ? this.now() + RESEND_AFTER_MS : Number.POSITIVE_INFINITY
    this.flights.set(deviceId, { commandId: id, link, againAtMs })
    const order: CommandOrder = { id, type, params, expiresAtMs }
    void link.sendCommand(order, REPLY_WITHIN_MS).then((reply) => {
      if (reply !== undefined) void this.takeReply(id, reply)
      // The command may have ended before, and the next one waits for the link.
      if (!link.carriesCommandIds && this.waiting.has(deviceId)) this.turns.ask(deviceId)
    })
  }

  /** Comes from the link that the command went out on, however many newer ones there are. */
  private takeReply(commandId: string, reply: CommandReply): Promise<void> {
    const { resultTimeoutMs } = this.options
    return this.unfinished.finish(`reply ${commandId}`, () =>
      this.changes.apply(commandId, (command, nowMs) => answer(command, reply, resultTimeoutMs, nowMs)),
    )
  }
}

/** The name of the work. */
function turnOf(deviceId: DeviceId): string {
  return `turn ${deviceId}`
}
