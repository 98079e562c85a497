import { workerData } from 'node:worker_threads'
import { serveRequests } from '../../src/storage/sqlite-worker-host.js'

/** What tests of calls between threads need of the other side. */
export class UnreliableThread {
  private readonly handled: string[] = []

  echo(text: string): string {
    this.handled.push(text)
    return text
  }

  listHandled(): string[] {
    return this.handled
  }

  double(numbers: Float64Array<ArrayBuffer>): { readonly doubled: Float64Array } {
    return { doubled: numbers.map((value) => value * 2) }
  }

  busy(forMs: number): void {
    const untilMs = performance.now() + forMs
    while (performance.now() < untilMs);
  }

  fail({ message, code }: { readonly message: string; readonly code?: string }): void {
    throw Object.assign(new Error(message), { code })
  }

  crash(): void {
    process.nextTick(() => {
      throw new Error('a bug')
    })
  }
}

const { refusal } = (workerData ?? {}) as { readonly refusal?: string }

serveRequests(() => {
  if (refusal) throw new Error(refusal)
  return new UnreliableThread()
})
