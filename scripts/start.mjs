import { endWithParent } from './end-with-parent.mjs'
import { prepare, root } from './prepare.mjs'

prepare()
endWithParent()
process.chdir(root)
process.setSourceMapsEnabled(true)
process.env.NODE_ENV ??= 'production'
await import('../dist/src/main.js')
