import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { io, type Socket } from 'socket.io-client'

const ACK_WITHIN_MS = 12_000

interface Order {
  readonly id: string
}
interface Memory {
  /** Of the commands that it knows: obeyed at once, or accepted and obeyed later; and whether the server has taken the result. */
  readonly known: Map<string, 'at once' | 'later'>
  readonly told: Set<string>
}

/**
 * A unit that obeys each command exactly once, whatever its network and the server do: it keeps the id before it obeys, knows it
 * again, and says a result until the server has taken it. Its memory is a file, read anew for every connection. Connections are cut
 * at any moment, some by a goodbye and some without.
 */
export class CommandedUnit {
  /** How often each command was obeyed. */
  readonly obeyed = new Map<string, number>()
  disconnects = 0
  private isRunning = true
  private mayCut = true

  constructor(
    readonly imei: string,
    private readonly token: string,
    private readonly file: string,
    private readonly random: () => number,
  ) {}

  /** No cuts any more, so that what is open comes to its end. */
  calm(): void {
    this.mayCut = false
  }

  finish(): void {
    this.isRunning = false
  }

  /** Runs until it is finished. */
  async run(url: string): Promise<void> {
    while (this.isRunning) {
      const socket = io(url, {
        auth: { token: this.token },
        transports: ['websocket'],
        reconnection: false,
        forceNew: true,
        timeout: 3000,
      })
      const lost = new Promise<void>((resolve) => {
        for (const event of ['connect_error', 'disconnect']) socket.once(event, () => resolve())
      })
      const memory = this.remember()
      socket.on(
        'command',
        (order: Order, answer: (reply: unknown) => void) => void this.obey(socket, memory, order, answer),
      )
      socket.once('connect', () => {
        this.disconnects += 1
        for (const [id, when] of memory.known) if (when === 'later') void this.tell(socket, memory, id)
      })
      const longest = this.mayCut ? sleep(20 + this.random() * 400) : this.untilFinished()
      await Promise.race([lost, longest])
      this.cut(socket)
      await sleep(30 + this.random() * 120)
    }
  }

  private async untilFinished(): Promise<void> {
    while (this.isRunning) await sleep(20)
  }

  /** At each of its steps the link may go. */
  private async obey(socket: Socket, memory: Memory, { id }: Order, answer: (reply: unknown) => void): Promise<void> {
    if (this.isCutNow(socket)) return
    const before = memory.known.get(id)
    const when = before ?? (this.random() < 0.5 ? 'at once' : 'later')
    if (before === undefined) {
      memory.known.set(id, when)
      appendFileSync(this.file, `${when} ${id}\n`)
      this.obeyed.set(id, (this.obeyed.get(id) ?? 0) + 1)
    }
    if (this.isCutNow(socket)) return
    answer(when === 'at once' ? { status: 'done', result: { of: id } } : { status: 'accepted' })
    if (this.isCutNow(socket) || when === 'at once') return
    await sleep(this.random() * 100)
    await this.tell(socket, memory, id)
  }

  private async tell(socket: Socket, memory: Memory, id: string): Promise<void> {
    if (memory.told.has(id)) return
    while (socket.connected) {
      const answer = await this.ask(socket, { id, status: 'done', result: { of: id } })
      if (answer?.ok === true) {
        memory.told.add(id)
        appendFileSync(this.file, `told ${id}\n`)
        return
      }
      await sleep(50)
    }
  }

  private ask(socket: Socket, result: unknown): Promise<{ ok?: boolean } | undefined> {
    return new Promise((resolve) => {
      const onLost = () => resolve(undefined)
      socket.once('disconnect', onLost)
      socket.timeout(ACK_WITHIN_MS).emit('command:result', result, (error: Error | null, answer: { ok?: boolean }) => {
        socket.off('disconnect', onLost)
        resolve(error === null ? answer : undefined)
      })
      this.isCutNow(socket)
    })
  }

  private isCutNow(socket: Socket): boolean {
    if (!this.mayCut || this.random() > 0.1) return false
    this.cut(socket)
    return true
  }

  private cut(socket: Socket): void {
    if (this.random() < 0.5) socket.io.engine?.close()
    socket.close()
  }

  private remember(): Memory {
    const memory: Memory = { known: new Map(), told: new Set() }
    if (!existsSync(this.file)) return memory
    for (const line of readFileSync(this.file, 'utf8').split('\n')) {
      const match = /^(at once|later|told) (\w+)$/.exec(line)
      const id = match?.[2]
      if (id === undefined) continue
      if (match?.[1] === 'told') memory.told.add(id)
      else memory.known.set(id, match?.[1] as 'at once' | 'later')
    }
    return memory
  }
}
