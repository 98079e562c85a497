import { spoiledBuild } from './spoiled-build.js'

/** A copy of the build in which the group commit answers its callers first and writes afterwards. @returns its `dist` */
export function buildThatAcksBeforeCommit(): string {
  const honest = 'const result = await this.positions.append(positions);'
  const early =
    'const result = { isNew: positions.map(() => true), isLatest: positions.map(() => false) }; void this.positions.append(positions).catch(() => undefined);'
  return spoiledBuild('src/pipeline/group-commit.js', honest, early)
}
