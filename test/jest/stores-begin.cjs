/** Before a run: gives it a name, by which what it makes on servers is known, and says what it leaves out there. */
const { randomBytes } = require('node:crypto')
const { readdirSync, readFileSync } = require('node:fs')
const path = require('node:path')
const embeddedOnly = require('../embedded-only.json')

const root = path.join(__dirname, '..', '..')
const MARK = /(?:it|describe)Embedded\(\s*'((?:[^'\\]|\\.)*)',\s*(['`])((?:[^\\]|\\.)*?)\2/g

module.exports = () => {
  process.env.TEST_RUN = randomBytes(4).toString('hex')
  if (process.env.TEST_STORES !== 'servers') return
  const lines = Object.entries(embeddedOnly).map(([suite, reason]) => `  ${suite}: ${reason}`)
  for (const file of readdirSync(path.join(root, 'test'), { recursive: true })) {
    if (!file.endsWith('e2e-spec.ts')) continue
    const source = readFileSync(path.join(root, 'test', file), 'utf8')
    for (const [, reason, , name] of source.matchAll(MARK)) lines.push(`  test/${file}, ${name}: ${reason}`)
  }
  process.stdout.write(`Whole-app suites on servers. Not run there:\n${lines.join('\n')}\n`)
}
