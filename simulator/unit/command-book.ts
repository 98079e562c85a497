import { z } from 'zod'
import { LineFile } from './line-file.js'
import type { CommandEnd, UnitCommand } from './unit-command.js'

/** A command in a unit's memory. */
export interface KeptCommand {
  readonly command: UnitCommand
  /** `kept`: nothing of it has been done. `begun`: its work is under way, and must not be begun a second time. */
  readonly phase: 'kept' | 'begun' | 'ended'
  /** Of an ended one. */
  readonly end?: CommandEnd
  /** The server knows the end, or was answered with it: it asks again if it did not get that. */
  readonly isTold: boolean
}

const Line = z.union([
  z.object({
    kept: z.object({ id: z.string(), type: z.string(), params: z.record(z.string(), z.unknown()) }),
  }),
  z.object({ begun: z.string() }),
  z.object({
    ended: z.string(),
    end: z.object({
      status: z.enum(['done', 'failed']),
      result: z.unknown(),
      message: z.string().nullable(),
    }),
    isTold: z.boolean(),
  }),
  z.object({ told: z.string() }),
])
type Line = z.infer<typeof Line>

/** Commands come one at a time: what a server may send again is among the latest few. */
const REMEMBERED = 1_000
/** The file is written anew when it has grown by as much since the last time. */
const COMPACT_BYTES = 1 << 20

/**
 * What a unit was told to do and how far it is, so that it does each thing once, whatever ends its link or its process. Each
 * change is with the kernel before the call returns. The latest thousand commands are remembered.
 */
export class CommandBook {
  private readonly commands = new Map<string, KeptCommand>()
  private readonly lines: LineFile<Line> | undefined
  private compactedSize = 0

  /** @throws JournalError a damaged file */
  constructor(file?: string) {
    if (file !== undefined) this.lines = LineFile.open(file, Line, (line) => this.apply(line))
  }

  find(id: string): KeptCommand | undefined {
    return this.commands.get(id)
  }

  /** In the order they came. */
  listUnfinished(): KeptCommand[] {
    return [...this.commands.values()].filter(({ phase }) => phase !== 'ended')
  }

  /** Ended without the server knowing, in the order they came. */
  listUntold(): KeptCommand[] {
    return [...this.commands.values()].filter(({ phase, isTold }) => phase === 'ended' && !isTold)
  }

  /** The latest one of a type that was done: what it set is the unit's setting. */
  findLastDone(type: string): UnitCommand | undefined {
    return [...this.commands.values()].findLast(({ command, end }) => command.type === type && end?.status === 'done')
      ?.command
  }

  /** Remembers the command, before anything of it is done. */
  keep(command: UnitCommand): void {
    this.write({ kept: command })
    this.forgetOldest()
  }

  begin(id: string): void {
    this.write({ begun: id })
  }

  end(id: string, end: CommandEnd, isTold: boolean): void {
    this.write({ ended: id, end, isTold })
  }

  noteTold(id: string): void {
    this.write({ told: id })
  }

  /** The file stays: the server may send again what was answered last. */
  close(): void {
    this.lines?.close()
  }

  private write(line: Line): void {
    this.lines?.append([line])
    this.apply(line)
    if (this.lines === undefined || this.lines.size - this.compactedSize < COMPACT_BYTES) return
    this.lines.replaceWith([...this.commands.values()].flatMap(linesOf))
    this.compactedSize = this.lines.size
  }

  private apply(line: Line): void {
    if ('kept' in line) {
      this.commands.set(line.kept.id, { command: line.kept, phase: 'kept', isTold: false })
    } else if ('begun' in line) {
      this.change(line.begun, { phase: 'begun' })
    } else if ('ended' in line) {
      this.change(line.ended, { phase: 'ended', end: line.end, isTold: line.isTold })
    } else {
      this.change(line.told, { isTold: true })
    }
  }

  private change(id: string, changes: Partial<KeptCommand>): void {
    const known = this.commands.get(id)
    if (known !== undefined) this.commands.set(id, { ...known, ...changes })
  }

  private forgetOldest(): void {
    if (this.commands.size <= REMEMBERED) return
    const settings = this.findLastDone('SET_INTERVAL')
    for (const [id, { phase, isTold }] of this.commands) {
      if (phase !== 'ended' || !isTold || id === settings?.id) continue
      this.commands.delete(id)
      return
    }
  }
}

function linesOf({ command, phase, end, isTold }: KeptCommand): Line[] {
  const kept = { kept: command }
  if (end !== undefined) return [kept, { ended: command.id, end, isTold }]
  return phase === 'begun' ? [kept, { begun: command.id }] : [kept]
}
