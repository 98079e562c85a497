/** Prepares, then runs everything that can be tested without a server; suites for servers whose URL is not set say that they are skipped. */
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { prepare, root } from './prepare.mjs'

prepare()
const jest = path.join(root, 'node_modules', 'jest', 'bin', 'jest.js')
const { status } = spawnSync(process.execPath, [jest, ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' })
process.exit(status ?? 1)
