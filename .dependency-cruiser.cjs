/** Who may import whom; type imports count too. A room not listed for another is out of its reach. */
const ports =
  '^src/storage/((positions|quarantine|frames|spool|sql|blobs)/(?!sqlite-|typeorm-|mongo-|directory-|s3-)[^/]*-(store|records)|disk-guard)[.]ts$'
const rooms = {
  model: [],
  config: ['model'],
  codecs: ['model'],
  metrics: ['model'],
  sessions: ['model', 'metrics'],
  web: ['model', 'config', 'metrics'],
  identity: ['model', 'config', 'metrics', 'sessions', 'web'],
  live: ['model', 'config', 'metrics', 'sessions', 'identity', 'web'],
  devices: ['model', 'config', 'metrics', 'sessions', 'identity', 'live', 'web'],
  tracks: ['model', 'config', 'metrics', 'sessions', 'identity', 'live', 'web'],
  alarms: ['model', 'config', 'metrics', 'sessions', 'identity', 'live', 'web'],
  videos: ['model', 'config', 'metrics', 'sessions', 'identity', 'live', 'web'],
  commands: ['model', 'config', 'metrics', 'sessions', 'identity', 'live', 'web'],
  pipeline: ['model', 'config', 'metrics', 'live', 'alarms', 'commands', 'web'],
  ingress: ['model', 'config', 'metrics', 'codecs', 'sessions', 'identity', 'pipeline', 'videos', 'web'],
  operations: ['model', 'config', 'metrics', 'identity', 'codecs', 'pipeline', 'videos', 'web'],
}
const withPorts = new Set([
  'web',
  'identity',
  'live',
  'devices',
  'tracks',
  'alarms',
  'videos',
  'commands',
  'pipeline',
  'operations',
])

const roomRules = Object.entries(rooms).map(([room, allowed]) => {
  const reach = [room, ...allowed].map((name) => `^src/${name}/`)
  if (withPorts.has(room)) reach.push(ports)
  if (room === 'operations') reach.push('-health[.]ts$')
  return {
    name: `room-${room}`,
    severity: 'error',
    from: { path: `^src/${room}/`, pathNot: '[.]spec[.]ts$' },
    to: { path: '^(src|migrations|simulator|bench|test)/', pathNot: reach },
  }
})

module.exports = {
  forbidden: [
    ...roomRules,
    {
      name: 'room-storage',
      severity: 'error',
      from: { path: '^src/storage/', pathNot: '[.]spec[.]ts$' },
      to: { path: '^(src|simulator|bench|test)/', pathNot: ['^src/(storage|model|config|metrics)/'] },
    },
    {
      name: 'migrations-alone',
      severity: 'error',
      from: { path: '^migrations/' },
      to: { path: '^(src|simulator|bench|test)/', pathNot: '^migrations/' },
    },
    {
      name: 'simulator-as-a-unit',
      severity: 'error',
      from: { path: '^simulator/', pathNot: '[.]spec[.]ts$' },
      to: { path: '^(src|migrations|bench|test)/', pathNot: ['^src/(model|codecs)/'] },
    },
    {
      name: 'one-reader-of-the-environment',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/config/', '^src/cli/', '^src/main[.]ts$', '[.]spec[.]ts$'] },
      to: { path: '^src/config/read-config[.]ts$' },
    },
    {
      name: 'spec-imports-stay-out-of-code',
      severity: 'error',
      from: { pathNot: '([.]spec|[.]e2e-spec|[.]contract)[.]ts$' },
      to: { path: '([.]spec|[.]e2e-spec|[.]contract)[.]ts$' },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-undeclared-packages',
      severity: 'error',
      from: { path: '^(src|migrations)/', pathNot: '([.]spec|[.]contract)[.]ts$' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { conditionNames: ['import', 'node', 'default'], exportsFields: ['exports'] },
  },
}
