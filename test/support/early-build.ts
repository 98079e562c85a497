import { spoiledBuild } from './spoiled-build.js'

/**
 * A copy of the build in which the group commit answers its callers first and writes a quarter of a second afterwards, as a slow disk
 * would: a kill at any moment under load then finds something that was answered and is not written.
 * @returns its `dist`
 */
export function buildThatAcksBeforeCommit(): string {
  const honest = 'const result = await this.positions.append(positions);'
  const early =
    'const result = { isNew: positions.map(() => true), isLatest: positions.map(() => false) }; setTimeout(() => void this.positions.append(positions).catch(() => undefined), 250);'
  return spoiledBuild('src/pipeline/group-commit.js', honest, early)
}
