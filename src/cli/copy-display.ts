import { SingleBar } from 'cli-progress'
import type { CopyProgress } from '../storage/copy/copy-part.js'

const LINE_EVERY_MS = 5000

/** Shows how a copy gets on: a bar on a terminal, a line now and then anywhere else. */
export class CopyDisplay implements CopyProgress {
  private bar: SingleBar | undefined
  private step = ''
  private unit = ''
  private total = 0
  private done = 0
  private toldAtMs = 0

  constructor(private readonly stream: NodeJS.WriteStream) {}

  begin(step: string, total: number, unit: string): void {
    this.end() // of a step that an error ended
    Object.assign(this, { step, total, unit, done: 0, toldAtMs: Date.now() })
    if (!this.stream.isTTY) return
    const format = '{step} {bar} {percentage} % | {value} of {total} {unit} | {eta_formatted} left'
    this.bar = new SingleBar({ format, stream: this.stream, hideCursor: true, barsize: 30, clearOnComplete: true })
    this.bar.start(total, 0, { step, unit })
  }

  advance(by: number): void {
    this.done += by
    this.bar?.update(Math.min(this.done, this.total))
    if (this.bar !== undefined || Date.now() - this.toldAtMs < LINE_EVERY_MS) return
    this.toldAtMs = Date.now()
    this.stream.write(`${this.step}: ${this.done} of ${this.total} ${this.unit}\n`)
  }

  end(): void {
    this.bar?.stop()
    this.bar = undefined
  }
}
