import { SingleBar } from 'cli-progress'
import type { FleetSummary } from './fleet.js'
import { statusLine } from './report.js'

/** What is over sooner needs no display. */
const QUIET_MS = 1_500
const REFRESH_MS = 250
const LINE_EVERY_MS = 10_000

/** Shows how a long run gets on: a bar on a terminal, a line now and then anywhere else (and for a run without an end). */
export class Progress {
  private readonly beginning: NodeJS.Timeout
  private refreshing: NodeJS.Timeout | undefined
  private bar: SingleBar | undefined

  constructor(
    private readonly summary: () => FleetSummary,
    private readonly stream: NodeJS.WriteStream,
  ) {
    this.beginning = setTimeout(() => this.begin(), QUIET_MS)
  }

  /** Writes a line without spoiling the bar. */
  note(line: string): void {
    if (this.bar !== undefined) this.stream.write('\r\u001b[K')
    this.stream.write(`${line}\n`)
  }

  end(): void {
    clearTimeout(this.beginning)
    clearInterval(this.refreshing)
    this.refresh()
    this.bar?.stop()
  }

  private begin(): void {
    const { total } = this.summary()
    const isBar = this.stream.isTTY && Number.isFinite(total)
    if (isBar) {
      const format = '{bar} {percentage} % | {value} of {total} settled | {pending} pending | {connected} connected'
      this.bar = new SingleBar({ format, stream: this.stream, hideCursor: true, barsize: 30 })
      this.bar.start(total, 0, { pending: 0, connected: 0 })
    }
    this.refresh()
    this.refreshing = setInterval(() => (isBar ? this.refresh() : this.line()), isBar ? REFRESH_MS : LINE_EVERY_MS)
  }

  private refresh(): void {
    if (this.bar === undefined) return
    const { connected, pending, tally, total } = this.summary()
    this.bar.setTotal(total)
    this.bar.update(tally.settled, { pending, connected })
  }

  private line(): void {
    const summary = this.summary()
    if (summary.total > 0) this.stream.write(`${statusLine(summary)}\n`) // before, they are still being registered
  }
}
