const LOOK_EVERY_MS = 300
/** Looked up at once: the parent may end while packages are being installed. */
const parent = process.ppid

/**
 * npm runs a script through a shell, and a shell that is ended by a signal does not hand it on: the process would live on without
 * anybody knowing. So, under npm, the end of the parent counts as SIGTERM.
 */
export function endWithParent() {
  if (process.env.npm_lifecycle_event === undefined) return
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    process.kill(process.pid, 'SIGTERM')
  }, LOOK_EVERY_MS)
  timer.unref()
}
