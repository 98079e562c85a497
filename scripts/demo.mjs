/**
 * Milepost with 20 simulated trucks driving through Munich, which raise alarms and upload clips, on data of its own in ./data/demo;
 * one of them is reset.
 */
import { spawn } from 'node:child_process'
import path from 'node:path'
import { tour } from './demo-tour.mjs'
import { endWithParent } from './end-with-parent.mjs'
import { prepare, root } from './prepare.mjs'

const TRUCKS = '20'
/** One alarm of each truck at once, then two a minute of them all; a clip for every fourth: a machine of two cores has time for them. */
const ALARMS = ['--alarm-burst', '1', '--alarms-per-hour', '6', '--clips', '0.25']
const PASSWORD = process.env.ADMIN_PASSWORD ?? 'milepost-demo'

prepare()
endWithParent()
const env = {
  ...process.env,
  DATA_DIR: process.env.DATA_DIR ?? path.join(root, 'data', 'demo'),
  ADMIN_PASSWORD: PASSWORD,
}
const children = []
const stopping = new AbortController()
let isStopping = false

const server = start('src/main.js', [], env, ['ignore', 'pipe', 'inherit'])
server.stdout.setEncoding('utf8')
let output = ''
server.stdout.on('data', (text) => {
  process.stdout.write(text)
  output += text
  const url = /^Milepost listens on (\S+)$/m.exec(output)?.[1]
  if (url === undefined || children.length > 1) return
  output = ''
  process.stdout.write(
    `Demo: log in as admin with the password ${PASSWORD}; ${TRUCKS} trucks are driving. Ctrl-C stops.\n`,
  )
  const drive = path.join(root, 'test', 'data', 'munich-2014-1hz.gpx')
  const options = ['--gpx', drive, '--trucks', TRUCKS, '--server', url, '--live', ...ALARMS]
  start('simulator/main.js', options, { ...process.env, MILEPOST_ADMIN_PASSWORD: PASSWORD }, [
    'ignore',
    'inherit',
    'inherit',
  ])
  show(url)
})
process.on('SIGINT', stop)
process.on('SIGTERM', stop)

/** The demonstration goes on if something of it could not be shown. */
function show(url) {
  const say = (line) => process.stdout.write(`${line}\n`)
  tour({ url, password: PASSWORD, since: new Date(), signal: stopping.signal, say }).catch((error) => {
    if (!isStopping) process.stderr.write(`Demo: ${error.message}\n`)
  })
}

function start(file, parameters, environment, stdio) {
  const child = spawn(process.execPath, [path.join(root, 'dist', file), ...parameters], {
    cwd: root,
    env: environment,
    stdio,
  })
  children.push(child)
  child.on('exit', (code) => {
    if (!isStopping) process.exitCode = code ?? 1
    stop()
  })
  return child
}

/** The trucks first, so that the server sees them off. */
function stop() {
  if (isStopping) return
  isStopping = true
  stopping.abort()
  for (const child of children.toReversed()) child.kill('SIGTERM')
}
