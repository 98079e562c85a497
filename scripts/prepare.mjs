/** Installs and builds when needed, so that each command works from a clean clone. `node scripts/prepare.mjs` does only that. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))
const at = (...parts) => path.join(root, ...parts)
const MIN_NODE = [20, 19]
const SOURCES = [
  'src',
  'migrations',
  'simulator',
  'bench',
  'test/stores',
  'test/support',
  'test/torture',
  'test/fuzz',
  'tsconfig.json',
  'tsconfig.build.json',
  'package-lock.json',
]

/** @param {{ quiet?: boolean }} [options] */
export function prepare(options = {}) {
  checkNode()
  const locked = createHash('sha256')
    .update(readFileSync(at('package-lock.json')))
    .digest('hex')
  const installed = at('node_modules', '.milepost-lock')
  if (!isStamped(installed, locked)) {
    say('Installing packages (once) …', options)
    // Quiet: packages of our packages that ask for a newer Node work on the oldest one we promise, which CI tries.
    run('npm', ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'])
    writeFileSync(installed, locked)
  }
  const sources = fingerprint()
  const built = at('dist', '.built')
  if (!isStamped(built, sources)) {
    say('Building …', options)
    run(process.execPath, [at('node_modules', '@nestjs', 'cli', 'bin', 'nest.js'), 'build'])
    writeFileSync(built, sources)
  }
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > MIN_NODE[0] || (major === MIN_NODE[0] && minor >= MIN_NODE[1])) return
  process.stderr.write(`milepost: Node ${MIN_NODE.join('.')} or newer is needed, this is ${process.versions.node}\n`)
  process.exit(78)
}

function isStamped(file, stamp) {
  return existsSync(file) && readFileSync(file, 'utf8') === stamp
}

function fingerprint() {
  const hash = createHash('sha256').update(process.versions.node.split('.')[0])
  for (const source of SOURCES) addTo(hash, at(source))
  return hash.digest('hex')
}

function addTo(hash, file) {
  if (!existsSync(file)) return
  if (statSync(file).isDirectory()) {
    for (const name of readdirSync(file).sort()) addTo(hash, path.join(file, name))
    return
  }
  if (/\.(spec|e2e-spec|contract)\.ts$/.test(file)) return
  hash.update(path.relative(root, file)).update('\0').update(readFileSync(file))
}

function run(command, parameters) {
  const { status, error } = spawnSync(command, parameters, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  })
  if (error === undefined && status === 0) return
  process.stderr.write(`milepost: ${command} failed${error === undefined ? '' : `: ${error.message}`}\n`)
  process.exit(status ?? 1)
}

function say(text, { quiet = false }) {
  if (!quiet) process.stderr.write(`${text}\n`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) prepare()
