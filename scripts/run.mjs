/** `node scripts/run.mjs dist-relative/file.js …`: prepares, then runs a built file in this process with the remaining arguments. */
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { endWithParent } from './end-with-parent.mjs'
import { prepare, root } from './prepare.mjs'

const [file, ...parameters] = process.argv.slice(2)
prepare()
endWithParent()
const target = path.join(root, 'dist', file)
process.argv = [process.argv[0], target, ...parameters]
process.setSourceMapsEnabled(true)
await import(pathToFileURL(target).href)
