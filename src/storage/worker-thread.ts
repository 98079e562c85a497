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
  const hook = fileURLToPath(new URL(TYPESCRIPT_HOOK, import.meta.url))
  // Only tests run from TypeScript sources; the hook compiles the worker's file the way the tests are compiled. The file cannot
  // be the thread's entry itself: Node takes an entry for an ES module here and knows no TypeScript.
  const entry = fileURLToPath(new URL(file.replace(/\.js$/, '.ts'), base))
  const script = [hook, entry].map((name) => `require(${JSON.stringify(name)})`).join(';')
  return new Worker(script, { ...options, eval: true })
}
