import { prepare, root } from './prepare.mjs'

prepare()
process.chdir(root)
process.setSourceMapsEnabled(true)
process.env.NODE_ENV ??= 'production'
await import('../dist/src/main.js')
