import { existsSync, readFileSync } from 'node:fs'
import { type Copy, DockerfileParser, type Instruction } from 'dockerfile-ast'
import { parse } from 'yaml'
import { GALILEOSKY } from '../src/codecs/galileosky/galileosky-codec.js'
import { QUECLINK } from '../src/codecs/queclink/queclink-codec.js'
import { RUPTELA } from '../src/codecs/ruptela/ruptela-codec.js'
import { TELTONIKA } from '../src/codecs/teltonika/teltonika-codec.js'
import { CONFIG_SCHEMA } from '../src/config/config.schema.js'

interface Service {
  readonly profiles?: readonly string[]
  readonly build?: string
  readonly image: string
  readonly restart?: string
  readonly stop_grace_period?: string
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly configs?: readonly { readonly source: string; readonly target: string }[]
  readonly environment?: Readonly<Record<string, string | null>>
  readonly command?: readonly string[]
  readonly healthcheck?: { readonly test: readonly string[]; readonly interval: string; readonly retries: number }
  readonly labels?: Readonly<Record<string, string>>
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, unknown>>
  readonly configs: Readonly<Record<string, { readonly content: string }>>
}

const STORES = ['mysql', 'mongodb', 's3']
/** A name, and a tag that names one version to its last number. */
const PINNED = /^[a-z0-9/]+:v?\d+\.\d+\.\d+(?:-[a-z-]+)?$/

const text = readFileSync('docker-compose.yml', 'utf8')
const compose: Compose = parse(text, { merge: true, uniqueKeys: true })
const { services } = compose
const serviceOf = (name: string): Service => {
  const service = services[name]
  if (service === undefined) throw new Error(`no service ${name}`)
  return service
}
const app = serviceOf('milepost')
const startedWith = (profile: string) =>
  Object.keys(services).filter((name) => serviceOf(name).profiles?.includes(profile) ?? true)

describe('docker-compose.yml', () => {
  it('starts everything with the profile that compose-env.sh writes into .env, and the stores alone with `services`', () => {
    expect(readFileSync('scripts/compose-env.sh', 'utf8')).toContain('add COMPOSE_PROFILES app\n')
    expect(startedWith('app')).toEqual(['milepost', ...STORES])
    expect(startedWith('services')).toEqual(STORES)
  })

  it('names MySQL 8.4, MongoDB 8 and an S3 server, each to the last number of its version', () => {
    const images = STORES.map((name) => serviceOf(name).image)
    expect(images.filter((image) => !PINNED.test(image))).toEqual([])
    expect(images.map((image) => image.replace(/^([^:]+:v?\d+\.\d+).*/, '$1'))).toEqual([
      'mysql:8.4',
      'mongo:8.0',
      'versity/versitygw:v1.8',
    ])
  })

  it('runs in CI the same S3 server as it names', () => {
    const [, version] = /VERSITYGW_VERSION=([\d.]+)/.exec(readFileSync('.ci/servers/install.sh', 'utf8')) ?? []
    expect(serviceOf('s3').image).toBe(`versity/versitygw:v${version}`)
  })

  it('waits with the application until each store is healthy, in every profile that has it', () => {
    expect(app.depends_on).toEqual(Object.fromEntries(STORES.map((name) => [name, { condition: 'service_healthy' }])))
    for (const name of STORES)
      expect(serviceOf(name).profiles).toEqual(expect.arrayContaining([...(app.profiles ?? [])]))
  })

  it.each(STORES)('asks %s itself whether it works', (name) => {
    const { test = [], interval, retries } = serviceOf(name).healthcheck ?? {}
    expect(['CMD', 'CMD-SHELL']).toContain(test[0])
    expect(test.length).toBeGreaterThan(1)
    expect(interval).toMatch(/^\d+s$/)
    expect(retries).toBeGreaterThan(0)
  })

  it.each(Object.keys(services))('restarts %s, labels it, and keeps its data in a volume that is declared', (name) => {
    const { restart, labels, volumes = [] } = serviceOf(name)
    expect(restart).toBe('unless-stopped')
    expect(labels?.['milepost.role']).toBe(STORES.includes(name) ? 'store' : 'app')
    expect(volumes.length).toBeGreaterThan(0)
    for (const volume of volumes) expect(Object.keys(compose.volumes)).toContain(volume.split(':')[0])
  })

  it('declares no volume and no config that nothing uses', () => {
    const mounted = Object.values(services).flatMap(({ volumes = [] }) => volumes.map((volume) => volume.split(':')[0]))
    const read = Object.values(services).flatMap(({ configs = [] }) => configs.map(({ source }) => source))
    expect(mounted.sort()).toEqual(Object.keys(compose.volumes).sort())
    expect(read).toEqual(Object.keys(compose.configs))
  })

  it('publishes ports on this machine alone unless told otherwise, no two on one', () => {
    const published = Object.values(services).flatMap(({ ports = [] }) => ports.map(withDefaults))
    expect(published).toEqual([
      '127.0.0.1:3000:3000',
      ...trackerPorts().map((port) => `127.0.0.1:${port.split('/')[0]}:${port}`),
      '127.0.0.1:13306:3306',
      '127.0.0.1:27027:27017',
      '127.0.0.1:17070:7070',
    ])
  })

  it('sets only variables that the application has, and values that it takes', () => {
    const environment = app.environment ?? {}
    expect(Object.keys(environment).filter((name) => !(name in CONFIG_SCHEMA.shape))).toEqual([])
    const set = Object.entries(environment).flatMap(([name, value]) =>
      value === null ? [] : [[name, withDefaults(value)]],
    )
    const { SQL_URL, MONGO_URL, S3_ENDPOINT } = CONFIG_SCHEMA.parse(Object.fromEntries(set))
    const hosts = [SQL_URL, MONGO_URL, S3_ENDPOINT].map((url) => new URL(url ?? '').hostname)
    expect(hosts).toEqual(STORES)
  })

  it('gives the application longer to stop than it takes', () => {
    const graceS = Number(app.environment?.SHUTDOWN_GRACE_S)
    expect(Number.parseInt(app.stop_grace_period ?? '', 10)).toBeGreaterThan(graceS)
  })

  it('syncs every commit of MySQL', () => {
    expect(serviceOf('mysql').command).toEqual(
      expect.arrayContaining([
        '--innodb-flush-log-at-trx-commit=1',
        '--sync-binlog=1',
        '--collation-server=utf8mb4_bin',
      ]),
    )
  })

  it('has no password of its own: each comes from .env, where compose-env.sh writes it, or nothing starts', () => {
    const required = [...text.matchAll(/\$\{(\w+):\?/g)].map(([, name]) => name)
    const secrets = [...text.matchAll(/\$\{(\w*(?:PASSWORD|SECRET)\w*)/g)].map(([, name]) => name)
    const written = [
      ...readFileSync('scripts/compose-env.sh', 'utf8').matchAll(/^add (MILEPOST_\w+) "\$\(random\)"$/gm),
    ]
    expect(secrets).toEqual(required)
    expect([...new Set(required)].sort()).toEqual(written.map(([, name]) => name).sort())
    expect(Object.keys(CONFIG_SCHEMA.shape).filter((name) => required.includes(name))).toEqual([])
  })
})

describe('Dockerfile', () => {
  const file = DockerfileParser.parse(readFileSync('Dockerfile', 'utf8'))
  const instructions = file.getInstructions()
  const stages = instructions.reduce<Instruction[][]>((made, instruction) => {
    if (instruction.getKeyword() === 'FROM') made.push([])
    made.at(-1)?.push(instruction)
    return made
  }, [])
  const last = stages.at(-1) ?? []
  const of = (stage: readonly Instruction[], keyword: string) =>
    stage.filter((one) => one.getKeyword() === keyword).map((one) => one.getArgumentsContent() ?? '')

  it('builds in one stage and runs in another, both on one Node 24 that is named to the last number', () => {
    const images = instructions
      .filter((one) => one.getKeyword() === 'FROM')
      .map((one) => one.getArguments()[0]?.getValue() ?? '')
    expect(images).toHaveLength(2)
    expect(new Set(images).size).toBe(1)
    expect(images[0]).toMatch(/^node:24\.\d+\.\d+-bookworm-slim$/)
    expect(images[0]).toMatch(PINNED)
  })

  it('installs and builds by the commands of scripts/prepare.mjs, then drops the packages of development', () => {
    const prepare = readFileSync('scripts/prepare.mjs', 'utf8')
    const [, install = ''] = /run\('npm', \[(.*)\]\)/.exec(prepare) ?? []
    const [, build = ''] = /run\(process\.execPath, \[at\((.*)\), '(?:build)'\]\)/.exec(prepare) ?? []
    const words = (list: string) => [...list.matchAll(/'([^']+)'/g)].map(([, word]) => word)
    expect(of(stages[0] ?? [], 'RUN')).toEqual([
      ['npm', ...words(install)].join(' '),
      `node ${words(build).join('/')} build`,
      'npm prune --omit=dev --no-audit --no-fund --loglevel=error',
    ])
  })

  it('is done step by step in CI', () => {
    expect(readFileSync('.ci/run', 'utf8')).toMatch(/image\(\) \{ node \.ci\/image\.mjs "\$NODE_24"; \}/)
  })

  it('copies only what is there and is not left out by .dockerignore, and what the build stage makes', () => {
    const copies = instructions.filter((one): one is Copy => one.getKeyword() === 'COPY')
    const plain = copies.filter((one) => one.getFromFlag() === null)
    const sources = plain.flatMap((one) =>
      one
        .getArguments()
        .slice(0, -1)
        .map((argument) => argument.getValue()),
    )
    expect(sources.filter((source) => !existsSync(source))).toEqual([])
    expect(sources.filter(isLeftOut)).toEqual([])
    const made = copies
      .filter((one) => !plain.includes(one))
      .map((one) => [one.getFromFlag()?.getValue(), one.getArgumentsContent()])
    expect(made).toEqual([
      ['build', '/milepost/node_modules node_modules'],
      ['build', '/milepost/dist/migrations dist/migrations'],
      ['build', '/milepost/dist/src dist/src'],
    ])
  })

  it('sends nothing else to the engine: no .env, no data, no tests', () => {
    const kept = [
      '.env',
      'data',
      '.git',
      'node_modules',
      'dist',
      'docs',
      '.services',
      'src/a.spec.ts',
      'test/a.e2e-spec.ts',
      'test/data/a',
    ]
    expect(kept.filter((name) => !isLeftOut(name))).toEqual([])
  })

  it('runs as an ordinary user who owns the volume of the data', () => {
    expect(of(last, 'USER')).toEqual(['1000:1000'])
    expect(of(last, 'VOLUME')).toEqual(['/data'])
    expect(of(last, 'ENV')).toEqual(['NODE_ENV=production DATA_DIR=/data'])
    expect(of(last, 'RUN')).toEqual(['install -d -o 1000 -g 1000 -m 700 /data'])
    expect(serviceOf('milepost').volumes).toEqual(['data:/data'])
  })

  it('starts the server without a shell, so that signals reach it, and asks whether it lives', () => {
    expect(of(last, 'CMD')).toEqual(['["node", "--enable-source-maps", "dist/src/main.js"]'])
    expect(of(last, 'STOPSIGNAL')).toEqual(['SIGTERM'])
    expect(of(last, 'EXPOSE')).toEqual([[CONFIG_SCHEMA.parse({}).PORT, ...trackerPorts()].join(' ')])
    expect(of(last, 'HEALTHCHECK')).toHaveLength(1)
    expect(of(last, 'HEALTHCHECK')[0]).toContain('/health/live')
  })

  it('says what it is', () => {
    const [labels = ''] = of(last, 'LABEL')
    const { license } = JSON.parse(readFileSync('package.json', 'utf8'))
    expect(labels).toContain('org.opencontainers.image.title="Milepost"')
    expect(labels).toContain(`org.opencontainers.image.licenses="${license}"`)
  })
})

/** Where trackers are listened for unless told otherwise; a brand has datagrams where its codec reads them. */
function trackerPorts(): string[] {
  const config = CONFIG_SCHEMA.parse({})
  const ports = [
    [TELTONIKA, config.TRACKER_TELTONIKA_PORT],
    [QUECLINK, config.TRACKER_QUECLINK_PORT],
    [RUPTELA, config.TRACKER_RUPTELA_PORT],
    [GALILEOSKY, config.TRACKER_GALILEOSKY_PORT],
  ] as const
  return ports.flatMap(([codec, port]) => [
    `${port}/tcp`,
    ...(codec.decodeDatagram === undefined ? [] : [`${port}/udp`]),
  ])
}

/** The value where nothing is set in .env; a required one stands for itself. */
function withDefaults(value: string): string {
  return value.replace(/\$\{\w+:-([^}]*)\}/g, '$1').replace(/\$\{(\w+):\?[^}]*\}/g, '$1')
}

/** As Docker reads .dockerignore: the last rule that fits decides, and a rule for a folder is one for what is in it. */
function isLeftOut(name: string): boolean {
  const rules = readFileSync('.dockerignore', 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  const fits = (rule: string) => {
    const pattern = rule
      .split('/')
      .map((part) => (part === '**' ? '(?:[^/]+/)*' : `${part.replaceAll('.', '\\.').replaceAll('*', '[^/]*')}/`))
      .join('')
    return new RegExp(`^${pattern.replace(/\/$/, '')}(?:/|$)`).test(name)
  }
  return rules.reduce((left, rule) => (rule.startsWith('!') ? left && !fits(rule.slice(1)) : left || fits(rule)), false)
}
