const { createHash } = require('node:crypto')
const { readFileSync } = require('node:fs')
const { version } = require('@swc/core')
const { compile, needsCompiling } = require('./compile.cjs')

const own = createHash('sha256')
  .update(readFileSync(require.resolve('./compile.cjs')))
  .update(version)
  .digest('hex')

module.exports = {
  process: (source, file) => (needsCompiling(file) ? compile(source, file) : { code: source }),
  getCacheKey: (source, file) => createHash('sha256').update(own).update(file).update(source).digest('hex'),
}
