import { fileURLToPath } from 'node:url'
import { Worker, type WorkerOptions } from 'node:worker_threads'

const TYPESCRIPT_HOOK = '../../test/jest/register.cjs'

/**
 * Starts a worker thread from the file beside the caller.
 * @param base the caller's `import.meta.url`
 * @param file relative name as it is after the build, such as `./sqlite-position-worker.js`
 */
export function startWorkerThread(base: string, file: string, options: WorkerOptions = {}): Worker {
  const isSource = base.endsWith('.ts')
  if (!isSource) return new Worker(new URL(file, base), options)
  // Only tests run from TypeScript sources; the hook compiles the worker's file the way the tests are compiled.
  const hook = fileURLToPath(new URL(TYPESCRIPT_HOOK, import.meta.url))
  return new Worker(new URL(file.replace(/\.js$/, '.ts'), base), {
    ...options,
    execArgv: [...(options.execArgv ?? []), '--require', hook],
  })
}
