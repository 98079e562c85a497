/**
 * TypeScript, and packages that ship only ES modules, to CommonJS. Used by jest's transformer and by the hook that lets a
 * worker thread started from a test load its TypeScript file.
 */
const { existsSync, readFileSync } = require('node:fs')
const path = require('node:path')
const { transformSync } = require('@swc/core')

const esmByDirectory = new Map()

function isEsmPackage(directory) {
  const known = esmByDirectory.get(directory)
  if (known !== undefined) return known
  const manifest = path.join(directory, 'package.json')
  let isEsm = false
  if (existsSync(manifest)) isEsm = JSON.parse(readFileSync(manifest, 'utf8')).type === 'module'
  else if (path.dirname(directory) !== directory) isEsm = isEsmPackage(path.dirname(directory))
  esmByDirectory.set(directory, isEsm)
  return isEsm
}

function needsCompiling(file) {
  if (file.endsWith('.ts') || file.endsWith('.mjs')) return true
  return file.endsWith('.js') && isEsmPackage(path.dirname(file))
}

function compile(source, file) {
  const isTypeScript = file.endsWith('.ts')
  return transformSync(source, {
    filename: file,
    swcrc: false,
    configFile: false,
    sourceMaps: isTypeScript ? 'inline' : false,
    module: { type: 'commonjs' },
    jsc: {
      target: 'es2023',
      keepClassNames: true,
      parser: { syntax: isTypeScript ? 'typescript' : 'ecmascript', decorators: true },
      transform: isTypeScript ? { legacyDecorator: true, decoratorMetadata: true } : {},
    },
  })
}

module.exports = { compile, needsCompiling }
