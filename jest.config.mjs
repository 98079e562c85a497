/** One swc transformer for own TypeScript and for ESM-only packages (to CommonJS), so that no Node flag is needed on any supported version. */
// biome-ignore lint/style/noDefaultExport: jest reads its configuration from the default export
export default {
  rootDir: '.',
  testEnvironment: '<rootDir>/test/jest/environment.cjs',
  testMatch: ['<rootDir>/{src,simulator,migrations,bench,test}/**/*.spec.ts', '<rootDir>/test/**/*.e2e-spec.ts'],
  moduleFileExtensions: ['ts', 'js', 'mjs', 'cjs', 'json', 'node'],
  transform: { '\\.(ts|js|mjs)$': '<rootDir>/test/jest/transformer.cjs' },
  transformIgnorePatterns: [],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  setupFiles: ['<rootDir>/test/jest/setup.cjs'],
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
  maxWorkers: 2,
  // Modules of a suite are not all given back: without it a worker that ran a hundred suites has 4 GB.
  workerIdleMemoryLimit: '1GB',
  testTimeout: 30000,
}
