/**
 * The environment of every suite: jest's own for Node, and a suite that leaves something open fails, by its name and
 * with what is open. Jest itself only warns that some worker took over half a second to exit, which a busy machine
 * alone can bring about, and does not say which suite it was.
 */
const { TestEnvironment } = require('jest-environment-node')

/** What ends by itself is no leak: a WebSocket whose peer is gone waits up to 30 s for the end of its close. */
const PATIENCE_MS = 35_000

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
  }

  async teardown() {
    const deadline = Date.now() + PATIENCE_MS
    let left = this.leftOpen()
    while (left.length > 0 && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 20))
      left = this.leftOpen()
    }
    await super.teardown()
    if (left.length > 0) throw new Error(`the suite left open: ${left.join(', ')}`)
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
