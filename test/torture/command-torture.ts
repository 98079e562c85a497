import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Answer, type Api, testImei } from '../support/api.js'
import { ADMIN_PASSWORD, ServerProcess } from '../support/server-process.js'
import { CommandedUnit } from './commanded-unit.js'
import { seededRandom } from './seeded-random.js'

export interface CommandTortureOptions {
  readonly dataDirectory: string
  /** At least so often a link of a unit ends, in the middle of whatever goes on. */
  readonly disconnects: number
  readonly kills: number
  readonly units: number
  readonly seed: number
  /** What is open has so long to come to its end when nothing is cut any more. */
  readonly finishWithinMs?: number
  /** The build under test; absent: the project's own. */
  readonly dist?: string
  readonly onKill?: (kill: number, sent: number) => void
}

export interface CommandTortureResult {
  readonly kills: number
  readonly disconnects: number
  /** Commands that the server answered 202 to. */
  readonly sent: number
  /** Commands that went out more than once. */
  readonly resent: number
  /** Answered 202, but not there any more. */
  readonly lost: number
  /** There, but no command ended as done. */
  readonly unfinished: number
  /** Not obeyed, or more than once. */
  readonly notOnce: number
  /** Obeyed, but not there. */
  readonly invented: number
  /** With a history that cannot be. */
  readonly inconsistent: number
}

interface Item {
  readonly id: string
  readonly status: string
  readonly createdAt: string
  readonly result: { readonly of?: string } | null
  readonly history: ReadonlyArray<{ readonly at: string; readonly status: string; readonly detail: string | null }>
}

const FINISH_WITHIN_MS = 60_000
/** Who send at the same time. */
const USERS = 4
/** What may follow a state, in a history without expiry and cancellation. */
const NEXT: Readonly<Record<string, readonly string[]>> = {
  queued: ['sent'],
  sent: ['sent', 'accepted', 'done'],
  accepted: ['done'],
  done: [],
}

/**
 * Sends commands to units whose links are cut at any moment, kills the server with SIGKILL meanwhile, and compares what the units
 * did with what the server says of it: every command that was answered is there, was obeyed exactly once and is done, by a history
 * that can be.
 */
export async function tortureCommands(options: CommandTortureOptions): Promise<CommandTortureResult> {
  const random = seededRandom(options.seed)
  const server = new ServerProcess(
    {
      DATA_DIR: options.dataDirectory,
      DEVICE_ENROLMENT: 'open',
      LOGIN_FAILURES_PER_MINUTE: '0',
      LOG_LEVEL: 'error',
      USER_TOKEN_TTL_S: '86400',
    },
    options.dist,
  )
  await server.start()
  const units: CommandedUnit[] = []
  let users: CommandingUsers | undefined
  try {
    units.push(...(await enrol(server.api, options, random)))
    const runs = units.map((unit) => unit.run(server.url))
    users = new CommandingUsers(server.api, await server.api.login('admin', ADMIN_PASSWORD), units, random)
    const sending = users.run()
    sending.catch(() => undefined) // told where it is awaited
    const disconnects = () => units.reduce((sum, unit) => sum + unit.disconnects, 0)
    for (let kill = 1; kill <= options.kills; kill++) {
      const share = (options.disconnects * kill) / (options.kills + 1)
      while (disconnects() < share) await sleep(20)
      await sleep(random() * 300)
      await server.kill()
      options.onKill?.(kill, users.answered.size)
      await server.start()
    }
    while (disconnects() < options.disconnects) await sleep(20)
    users.finish()
    await sending
    for (const unit of units) unit.calm()
    const items = await users.allWhenDone(options.finishWithinMs ?? FINISH_WITHIN_MS)
    for (const unit of units) unit.finish()
    await Promise.all(runs)
    return judge(items, units, users.answered, options.kills, disconnects())
  } finally {
    // Also when the server does not come back: nobody may go on knocking for ever.
    users?.finish()
    for (const unit of units) unit.finish()
    await server.kill()
  }
}

async function enrol(
  api: Api,
  { units, dataDirectory }: CommandTortureOptions,
  random: () => number,
): Promise<CommandedUnit[]> {
  return Promise.all(
    Array.from({ length: units }, async (_, n) => {
      const imei = testImei(n)
      return new CommandedUnit(imei, await api.loginDevice(imei), path.join(dataDirectory, `unit-${imei}`), random)
    }),
  )
}

/** Sends commands without pause, and remembers exactly which the server answered. */
class CommandingUsers {
  readonly answered = new Set<string>()
  private isSending = true

  constructor(
    private readonly api: Api,
    private readonly token: string,
    private readonly units: readonly CommandedUnit[],
    private readonly random: () => number,
  ) {}

  finish(): void {
    this.isSending = false
  }

  async run(): Promise<void> {
    await Promise.all(Array.from({ length: USERS }, () => this.sendInTurn()))
  }

  private async sendInTurn(): Promise<void> {
    while (this.isSending) {
      const unit = this.units[Math.floor(this.random() * this.units.length)]
      if (unit !== undefined) await this.send(unit)
      await sleep(this.random() * 60)
    }
  }

  /** Whether a request that the server was killed in was stored is not known: it is not asked again. */
  private async send({ imei }: CommandedUnit): Promise<void> {
    const type = this.random() < 0.5 ? 'RESET' : 'REBOOT'
    const asked: Promise<Answer<Item>> = this.api.post(`/api/v1/devices/${imei}/commands`, { type }, this.token)
    const answer = await asked.catch(() => undefined) // the connection was refused or cut
    if (answer === undefined) await sleep(50)
    else if (answer.status === 202) this.answered.add(answer.body.id)
    else throw new Error(answer.text)
  }

  /** All commands of all units, as soon as none is open, or as they are when the time is up. */
  async allWhenDone(withinMs: number): Promise<Item[]> {
    const deadline = Date.now() + withinMs
    for (;;) {
      const lists = await Promise.all(
        this.units.map(({ imei }) => this.api.all<Item>(`/api/v1/devices/${imei}/commands?limit=500`, this.token)),
      )
      const items = lists.flat()
      if (items.every(({ status }) => status === 'done') || Date.now() > deadline) return items
      await sleep(200)
    }
  }
}

function judge(
  items: readonly Item[],
  units: readonly CommandedUnit[],
  answered: ReadonlySet<string>,
  kills: number,
  disconnects: number,
): CommandTortureResult {
  const there = new Set(items.map(({ id }) => id))
  const obeyed = new Map(units.flatMap((unit) => [...unit.obeyed]))
  const count = <T>(all: Iterable<T>, is: (one: T) => boolean) => [...all].filter(is).length
  return {
    kills,
    disconnects,
    sent: answered.size,
    resent: count(items, ({ history }) => history.some(({ detail }) => detail === 'resent')),
    lost: count(answered, (id) => !there.has(id)),
    unfinished: count(items, ({ status, result, id }) => status !== 'done' || result?.of !== id),
    notOnce: count(items, ({ id }) => obeyed.get(id) !== 1),
    invented: count(obeyed.keys(), (id) => !there.has(id)),
    inconsistent: count(items, (item) => !isConsistent(item)),
  }
}

function isConsistent({ status, createdAt, history }: Item): boolean {
  const [first] = history
  if (first?.status !== 'queued' || first.at !== createdAt || history.at(-1)?.status !== status) return false
  return history.slice(1).every((step, at) => {
    const before = history[at]
    if (before === undefined || step.at < before.at || !NEXT[before.status]?.includes(step.status)) return false
    return (before.status === 'sent' && step.status === 'sent') === (step.detail === 'resent')
  })
}
