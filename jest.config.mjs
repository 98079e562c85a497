import { readFileSync } from 'node:fs'

/** Whole-app suites on servers: TEST_STORES=servers and SQL_URL, MONGO_URL, S3_ENDPOINT with its key. Without it they run on the embedded stores. */
const runsOnServers = process.env.TEST_STORES === 'servers'
const embeddedOnly = Object.keys(
  JSON.parse(readFileSync(new URL('./test/embedded-only.json', import.meta.url), 'utf8')),
)
const WHOLE_APP = '<rootDir>/test/**/*.e2e-spec.ts'

/** One swc transformer for own TypeScript and for ESM-only packages (to CommonJS), so that no Node flag is needed on any supported version. */
// biome-ignore lint/style/noDefaultExport: jest reads its configuration from the default export
export default {
  rootDir: '.',
  testEnvironment: '<rootDir>/test/jest/environment.cjs',
  testMatch: runsOnServers ? [WHOLE_APP] : ['<rootDir>/{src,simulator,migrations,bench,test}/**/*.spec.ts', WHOLE_APP],
  testPathIgnorePatterns: [
    '/node_modules/',
    ...(runsOnServers ? embeddedOnly.map((file) => `<rootDir>/${file}$`) : []),
  ],
  globalSetup: '<rootDir>/test/jest/stores-begin.cjs',
  globalTeardown: '<rootDir>/test/jest/stores-end.cjs',
  moduleFileExtensions: ['ts', 'js', 'mjs', 'cjs', 'json', 'node'],
  transform: { '\\.(ts|js|mjs)$': '<rootDir>/test/jest/transformer.cjs' },
  transformIgnorePatterns: [],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  setupFiles: ['<rootDir>/test/jest/setup.cjs'],
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
  maxWorkers: 2,
  // Modules of a suite are not all given back: without it a worker that ran a hundred suites has 4 GB.
  workerIdleMemoryLimit: '1GB',
  // A start on servers makes three stores first.
  testTimeout: runsOnServers ? 90_000 : 30_000,
}
