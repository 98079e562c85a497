/** `node --require` hook: a worker thread started from a test loads TypeScript the way the test itself does. */
const Module = require('node:module')
const { existsSync, readFileSync } = require('node:fs')
const path = require('node:path')
const { compile, needsCompiling } = require('./compile.cjs')

const resolveFilename = Module._resolveFilename
Module._resolveFilename = function (request, parent, ...rest) {
  if (/^\.{1,2}\/.*\.js$/.test(request) && parent?.filename?.endsWith('.ts')) {
    const candidate = path.resolve(path.dirname(parent.filename), request.replace(/\.js$/, '.ts'))
    if (existsSync(candidate)) return candidate
  }
  return resolveFilename.call(this, request, parent, ...rest)
}

const load = (module, file) => module._compile(compile(readFileSync(file, 'utf8'), file).code, file)
Module._extensions['.ts'] = load
const plainJs = Module._extensions['.js']
Module._extensions['.js'] = (module, file) => (needsCompiling(file) ? load(module, file) : plainJs(module, file))
