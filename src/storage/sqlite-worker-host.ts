import { parentPort } from 'node:worker_threads'
import type { ErrorCode } from '../model/app-error.js'

/** One call of a method with one argument. Calls are handled one after the other, in the order they were sent. */
export interface WorkerRequest {
  readonly id: number
  readonly method: string
  readonly argument: unknown
}

/** Why a call failed, in a shape that crosses threads. */
export interface WorkerFailure {
  readonly code: Extract<ErrorCode, 'disk_full' | 'store_unavailable'>
  readonly message: string
  readonly stack: string | undefined
}

/** The answer to the request with this id; id 0 says whether the thread could open what it serves. */
export type WorkerResponse =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly failure: WorkerFailure }

/** After so many failures in a row the thread gives up its connection with itself; the next call starts another one. */
const MOST_FAILURES = 3

/** Ends the thread after its answer. */
export const CLOSE_METHOD = 'close'

/**
 * Serves the methods of an object to the thread that started this one.
 * @param open makes the object; when it throws, the thread says why and ends
 */
export function serveRequests(open: () => object): void {
  const port = parentPort
  if (!port) throw new Error('this file runs as a worker thread')
  let target: object
  try {
    target = open()
  } catch (error) {
    port.postMessage({ id: 0, failure: describeFailure(error) } satisfies WorkerResponse)
    port.close()
    return
  }
  port.postMessage({ id: 0, value: undefined } satisfies WorkerResponse)
  let failures = 0
  port.on('message', (request: WorkerRequest) => {
    const response = answer(target, request)
    port.postMessage(response, 'value' in response ? buffersOf(response.value) : [])
    failures = 'failure' in response && response.failure.code !== 'disk_full' ? failures + 1 : 0
    if (request.method === CLOSE_METHOD || failures >= MOST_FAILURES) port.close()
  })
}

function answer(target: object, { id, method, argument }: WorkerRequest): WorkerResponse {
  try {
    const handler: unknown = Reflect.get(target, method)
    if (typeof handler !== 'function') throw new TypeError(`no method ${method}`)
    return { id, value: Reflect.apply(handler, target, [argument]) }
  } catch (error) {
    return { id, failure: describeFailure(error) }
  }
}

function describeFailure(error: unknown): WorkerFailure {
  const { message, stack } = error instanceof Error ? error : new Error(String(error))
  const sqliteCode = codeOf(error)
  return {
    code: sqliteCode === 'SQLITE_FULL' ? 'disk_full' : 'store_unavailable',
    message: sqliteCode ? `${message} (${sqliteCode})` : message,
    stack,
  }
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** Buffers are moved to the other thread, not copied: an answer is not used here any more. */
function buffersOf(value: unknown): ArrayBuffer[] {
  if (typeof value !== 'object' || value === null) return []
  return [value, ...Object.values(ArrayBuffer.isView(value) ? {} : value)].flatMap((part: unknown) =>
    ArrayBuffer.isView(part) && part.buffer instanceof ArrayBuffer ? [part.buffer] : [],
  )
}
