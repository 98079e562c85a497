import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { CONFIG_SCHEMA } from '../src/config/config.schema.js'
import { Metrics } from '../src/metrics/metrics.js'

const text = readFileSync('docs/operations.md', 'utf8')

/** Upper-case words of the page that are no variables of ours. */
const OTHER_NAMES = new Set(['SIGTERM', 'SIGINT', 'SIGKILL', 'GET', 'SERVICES_DIR'])
/** Those of docker-compose.yml, which compose itself or the file reads. */
const compose = readFileSync('docker-compose.yml', 'utf8')
for (const [, name] of compose.matchAll(/\$\{(\w+)/g)) OTHER_NAMES.add(name ?? '')
OTHER_NAMES.add('COMPOSE_PROFILES')

const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts'))
  .map((name) => readFileSync(path.join('src', name), 'utf8'))

describe('docs/operations.md', () => {
  it('lists every metric with its type and labels, and no other', async () => {
    const rows = [...text.matchAll(/^\| `(milepost_\w+)` +\| (\w+) +\| ([\w, ]*?) *\|/gm)]
    const listed = rows.map(([, name, type, labels]) => [name, type, labels])
    const metrics = new Metrics().registry
      .getMetricsAsArray()
      .map((metric) => metric as unknown as { name: string; type: string; labelNames: string[] })
      .filter(({ name }) => name.startsWith('milepost_'))
    const registered = metrics.map((metric) => [metric.name, typeOf(metric), metric.labelNames.join(', ')])
    expect(listed).toEqual(registered)
  })

  it('names only variables that exist', () => {
    const named = [...text.matchAll(/`([A-Z][A-Z0-9_]*[A-Z0-9])(?:=[^`]*)?`/g)].map(([, name]) => name ?? '')
    const unknown = named.filter((name) => !Object.hasOwn(CONFIG_SCHEMA.shape, name) && !OTHER_NAMES.has(name))
    expect(unknown).toEqual([])
    expect(named.length).toBeGreaterThan(20)
  })

  it('explains every event that is logged as a warning or an error', () => {
    const logged = new Set<string>()
    for (const source of sources) {
      for (const [, event] of source.matchAll(/logger\.(?:warn|error)\(\{\s*event: '(\w+)'/g)) logged.add(event ?? '')
    }
    const rows = [...text.matchAll(/^\| ((?:`\w+`(?:, )?)+) +\| (?:warn|error) +\|/gm)]
    const explained = rows.flatMap(([, names]) => [...(names ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name ?? ''))
    expect(explained.sort()).toEqual([...logged].sort())
  })
})

/** prom-client keeps the kind of a metric in the name of its class. */
function typeOf(metric: object): string {
  return metric.constructor.name.toLowerCase()
}
