import type { Fix } from '../../simulator/drives/drive.js'
import type { Setback } from '../../simulator/unit/back-off.js'
import {
  NO_LIMITS,
  type OpenOutcome,
  type Refusal,
  type SendOutcome,
  type UnitLimits,
  UnitLink,
  UnitTransport,
} from '../../simulator/unit/unit-transport.js'

/** A link whose other end is the test. */
export class ScriptedLink extends UnitLink {
  readonly sent: Fix[][] = []
  readonly ended: Promise<Setback>
  isOpen = true
  wasCut = false
  private readonly waiting = new Set<(outcome: SendOutcome) => void>()
  private resolveEnd: (setback: Setback) => void = () => {}

  constructor(private readonly answer: (fixes: readonly Fix[]) => SendOutcome | undefined) {
    super()
    this.ended = new Promise((resolve) => {
      this.resolveEnd = resolve
    })
  }

  send(fixes: readonly Fix[]): Promise<SendOutcome> {
    this.sent.push([...fixes])
    const outcome = this.answer(fixes)
    if (outcome !== undefined) return Promise.resolve(outcome)
    return new Promise((resolve) => this.waiting.add(resolve))
  }

  end(setback: Setback = {}): void {
    this.isOpen = false
    for (const resolve of this.waiting) resolve({ kind: 'unanswered' })
    this.resolveEnd(setback)
  }

  cut(): void {
    this.wasCut = true
    this.end()
  }

  close(): void {
    this.end()
  }
}

/** Opens links, or refuses, as the test says; keeps when that was asked for. */
export class ScriptedTransport extends UnitTransport {
  readonly links: ScriptedLink[] = []
  readonly openedAtMs: number[] = []
  readonly refusals: Refusal[] = []

  override readonly limits: UnitLimits

  /**
   * @param answer what an event is answered with; undefined: nothing
   * @param limits none without
   */
  constructor(
    private readonly nowMs: () => number,
    public answer: (fixes: readonly Fix[]) => SendOutcome | undefined,
    limits?: UnitLimits,
  ) {
    super()
    this.limits = limits ?? NO_LIMITS
  }

  open(): Promise<OpenOutcome> {
    this.openedAtMs.push(this.nowMs())
    const refusal = this.refusals.shift()
    if (refusal !== undefined) return Promise.resolve({ refusal })
    const link = new ScriptedLink((fixes) => this.answer(fixes))
    this.links.push(link)
    return Promise.resolve({ link })
  }
}

/** All of the records stored. */
export function acceptAll(fixes: readonly Fix[]): SendOutcome {
  return { kind: 'settled', accepted: fixes.length, duplicates: 0, rejected: [] }
}
