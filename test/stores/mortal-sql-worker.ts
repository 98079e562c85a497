import { parentPort } from 'node:worker_threads'
import type { SqlRequest } from '../../src/storage/sql/sql-request.js'

/** A statement with this in it ends the thread before it is run. */
const DEADLY = '/* dies */'

// Before the worker listens, so that it does not get to see such a statement.
parentPort?.on('message', ({ argument }: { readonly argument?: SqlRequest }) => {
  if (argument?.sql?.includes(DEADLY)) process.exit(1)
})

void import('../../src/storage/sql/sql-worker.js')
