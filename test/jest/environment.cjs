/**
 * The environment of every suite: jest's own for Node, and a suite that leaves something open fails, by its name and
 * with what is open. Jest itself only warns that some worker took over half a second to exit, which a busy machine
 * alone can bring about, and does not say which suite it was. Of timers that outlive our patience it says where they were set.
 * In a suite of which a test failed it only writes what is open: the runner shows an error of the suite in the place of its tests'.
 */
const timers = require('node:timers')
const { TestEnvironment } = require('jest-environment-node')

/** What ends by itself is no leak: a WebSocket whose peer is gone waits up to 30 s for the end of its close. */
const PATIENCE_MS = 35_000
/** Shorter timers are over when we have run out of patience; only the others, and intervals, are worth their stack. */
const LONG_MS = 10_000
const STACK_LINES = [2, 8]

/** What keeps the event loop of this process alive, counted by kind; what was unref'd does not. */
function openResources() {
  const counts = new Map()
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  return counts
}

module.exports = class HandleCheckingEnvironment extends TestEnvironment {
  async setup() {
    await super.setup()
    void [process.stdout, process.stderr] // made at first sight; as pipes they count, and are no suite's
    this.before = openResources()
    this.longTimers = []
    this.nodeTimers = { setTimeout: timers.setTimeout, setInterval: timers.setInterval }
    for (const name of ['setTimeout', 'setInterval']) {
      timers[name] = this.remembering(name, timers[name])
      this.global[name] = this.remembering(name, this.global[name])
    }
  }

  handleTestEvent(event) {
    if (event.name === 'test_done' && event.test.errors.length > 0) this.hasFailed = true
  }

  async teardown() {
    await super.teardown()
    const until = Date.now() + PATIENCE_MS
    let left = this.leftOpen()
    while (left.length > 0 && Date.now() < until) {
      await new Promise((resolve) => this.nodeTimers.setTimeout(resolve, 20))
      left = this.leftOpen()
    }
    Object.assign(timers, this.nodeTimers)
    if (left.length === 0) return
    const message = `the suite left open: ${left.join(', ')}${this.whereTimersWereSet()}`
    if (!this.hasFailed) throw new Error(message)
    process.stderr.write(`${message}\n`)
  }

  /** The function, which now notes where long timers are set: async_hooks know too, but slow every promise down. */
  remembering(name, set) {
    const wrapped = (call, delay, ...rest) => {
      const timer = set(call, delay, ...rest)
      if (name === 'setInterval' || delay >= LONG_MS) {
        const stack = new Error().stack
          .split('\n')
          .slice(...STACK_LINES)
          .join('\n')
        this.longTimers.push({ timer: new WeakRef(timer), text: `${name} of ${delay} ms, set\n${stack}` })
      }
      return timer
    }
    return Object.defineProperties(wrapped, Object.getOwnPropertyDescriptors(set)) // the promisified form too
  }

  /** Timers that Node sets by itself are not seen. */
  whereTimersWereSet() {
    const armed = this.longTimers.filter(({ timer }) => {
      const still = timer.deref()
      return still?.hasRef?.() && still._destroyed === false
    })
    return armed.map(({ text }) => `\n${text}`).join('')
  }

  leftOpen() {
    const left = []
    for (const [kind, count] of openResources()) {
      const more = count - (this.before.get(kind) ?? 0)
      if (more > 0) left.push(`${more} × ${kind}`)
    }
    return left
  }
}
