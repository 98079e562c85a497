/**
 * `node .ci/image.mjs [NODE]`: does what the Dockerfile says, step by step in a temporary folder, since no Docker engine runs here.
 * Every stage is a folder; then the command of the last stage starts from nothing but what that stage holds, as its user, must become
 * healthy by its own check, be ready, and stop when told. Only the base image is missing: NODE, a node 24, stands in for it.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { DockerfileParser } from 'dockerfile-ast'

const HEALTHY_WITHIN_MS = 60_000
const ENDS_WITHIN_MS = 25_000
const context = fileURLToPath(new URL('..', import.meta.url))
const work = mkdtempSync(path.join(os.tmpdir(), 'milepost-image-'))
const nodeFolder = path.dirname(path.resolve(process.argv[2] ?? process.execPath))
const isRoot = process.getuid?.() === 0
let server

process.on('exit', () => {
  server?.kill('SIGKILL')
  rmSync(work, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))

try {
  chmodSync(work, 0o755) // the image's user must come through
  const image = build()
  await tryOut(image)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}

function build() {
  const stages = new Map()
  let stage
  for (const instruction of DockerfileParser.parse(
    readFileSync(path.join(context, 'Dockerfile'), 'utf8'),
  ).getInstructions()) {
    const words = instruction.getArguments().map((argument) => argument.getValue())
    switch (instruction.getKeyword()) {
      case 'FROM':
        stage = { root: path.join(work, `stage-${stages.size}`), directory: '/', variables: {}, volumes: [] }
        mkdirSync(stage.root)
        stages.set(words[2] ?? '', stage)
        break
      case 'WORKDIR':
        stage.directory = words[0]
        mkdirSync(inside(stage, '.'), { recursive: true })
        break
      case 'ENV':
        for (const word of words) stage.variables[word.slice(0, word.indexOf('='))] = word.slice(word.indexOf('=') + 1)
        break
      case 'COPY':
        copy(stage, words, stages.get(instruction.getFromFlag?.()?.getValue() ?? undefined))
        break
      case 'RUN':
        run(stage, instruction.getArgumentsContent())
        break
      case 'USER':
        stage.user = words[0].split(':').map(Number)
        break
      case 'HEALTHCHECK':
        stage.check = json(instruction)
        break
      case 'CMD':
        stage.command = json(instruction)
        break
    }
  }
  const last = [...stages.values()].at(-1)
  for (const other of stages.values()) if (other !== last) rmSync(other.root, { recursive: true })
  return last
}

function inside(stage, file) {
  return path.join(stage.root, path.resolve(stage.directory, file))
}

/** The Dockerfile here copies plain names only, each to the folder or to its own name. */
function copy(stage, words, from) {
  const target = words.at(-1)
  for (const source of words.slice(0, -1)) {
    const file = from === undefined ? path.join(context, source) : path.join(from.root, source)
    const isFolderOfMany = target.endsWith('/')
    cpSync(file, inside(stage, isFolderOfMany ? path.join(target, path.basename(source)) : target), {
      recursive: true,
      verbatimSymlinks: true,
      // As .dockerignore has it; what else it leaves out is named by no COPY.
      filter: (name) =>
        from !== undefined || !/\.(spec|e2e-spec|contract)\.ts$|\/bench\/results$|\/test\/data$/.test(name),
    })
  }
}

function run(stage, command) {
  console.log(`RUN ${command}`)
  // The folder of the volume lies in the stage, and only root can give files away.
  const here = command.replaceAll(' /data', ` ${stage.root}/data`).replace(isRoot ? '\0' : /-o \d+ -g \d+ /, '')
  const { status } = spawnSync('sh', ['-c', here], {
    cwd: inside(stage, '.'),
    env: environment(stage),
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if (status !== 0) throw new Error(`ended with ${status}: ${command}`)
}

function environment(stage) {
  const { NODE_ENV, ...inherited } = process.env
  return { ...inherited, ...stage.variables, PATH: `${nodeFolder}:${process.env.PATH}` }
}

/** The words of a command in the form of a JSON array, which is the only one that gets signals. */
function json(instruction) {
  const text = instruction.getArgumentsContent()
  return JSON.parse(text.slice(text.indexOf('[')))
}

async function tryOut({ root, directory, variables, user: [uid, gid], command, check }) {
  const port = await freePort()
  const data = path.join(root, variables.DATA_DIR)
  const options = {
    cwd: path.join(root, directory),
    env: {
      ...variables,
      PATH: `${nodeFolder}:/usr/bin:/bin`,
      DATA_DIR: data,
      PORT: String(port),
      HOST: '127.0.0.1',
      DISK_MIN_FREE: '0',
      TRACKER_TELTONIKA_PORT: '0',
      TRACKER_QUECLINK_PORT: '0',
      TRACKER_RUPTELA_PORT: '0',
      TRACKER_GALILEOSKY_PORT: '0',
    },
    ...(isRoot && { uid, gid }),
  }
  console.log(`CMD ${command.join(' ')} on node ${execFileSync('node', ['--version'], options).toString().trim()}`)
  const log = []
  server = spawn(command[0], command.slice(1), { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  for (const stream of [server.stdout, server.stderr]) stream.on('data', (bytes) => log.push(bytes))
  const ended = new Promise((resolve) => server.on('exit', (code, signal) => resolve(code ?? signal)))
  try {
    await healthy(check, options)
    const ready = await fetch(`http://127.0.0.1:${port}/health/ready`)
    const { details } = await ready.json()
    const notUp = Object.entries(details).filter(([, { status }]) => status !== 'up' && status !== 'ok')
    if (!ready.ok || notUp.length > 0) throw new Error(`not ready: ${JSON.stringify(details)}`)
    if (existsSync(path.join(options.cwd, 'node_modules', 'jest')))
      throw new Error('packages of development are in the image')
    server.kill('SIGTERM')
    const code = await Promise.race([ended, sleep(ENDS_WITHIN_MS, 'late', { ref: false })])
    if (code !== 0) throw new Error(`the stop ended with ${code}`)
  } catch (error) {
    writeFileSync(2, Buffer.concat(log))
    throw error
  }
  console.log(`healthy, ready and stopped as user ${uid}; ${megabytes(root)} MB above the base image`)
}

async function healthy([program, ...parameters], options) {
  const until = Date.now() + HEALTHY_WITHIN_MS
  while (Date.now() < until) {
    if (server.exitCode !== null) break
    if (spawnSync(program, parameters, { ...options, timeout: 5000 }).status === 0) return
    await sleep(500)
  }
  throw new Error('the server did not become healthy')
}

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address()
      probe.close(() => resolve(port))
    })
  })
}

function megabytes(folder) {
  return Math.round(Number(execFileSync('du', ['-sk', folder]).toString().split('\t')[0]) / 1024)
}
