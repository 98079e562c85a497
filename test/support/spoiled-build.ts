import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { temporaryDirectory } from './temporary-directory.js'

/**
 * A copy of the build with one line that is not as it should be, to see whether a test notices, or whether the rest holds.
 * @param file below `dist`
 * @returns its `dist`
 * @throws Error when the line is not there any more
 */
export function spoiledBuild(file: string, honest: string, spoiled: string): string {
  const directory = temporaryDirectory()
  const dist = path.join(directory, 'dist')
  cpSync('dist', dist, { recursive: true })
  cpSync('package.json', path.join(directory, 'package.json'))
  symlinkSync(path.resolve('node_modules'), path.join(directory, 'node_modules'))
  const target = path.join(dist, file)
  const source = readFileSync(target, 'utf8')
  if (!source.includes(honest)) throw new Error(`${file}: the line to spoil is not there any more`)
  writeFileSync(target, source.replace(honest, spoiled))
  return dist
}
