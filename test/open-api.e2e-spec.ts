import { Validator } from '@seriousme/openapi-schema-validator'
import { type RunningApp, startApp } from './support/app.js'
import { removeTemporaryDirectories } from './support/temporary-directory.js'

interface Operation {
  readonly operationId?: string
  readonly summary?: string
  readonly description?: string
  readonly tags?: string[]
  readonly security?: Array<Record<string, unknown>>
  readonly requestBody?: { readonly content: Record<string, { schema?: object }> }
  readonly responses: Record<
    string,
    { description?: string; content?: Record<string, { schema?: object; examples?: object }> }
  >
}
type Document = Record<string, unknown> & { paths: Record<string, Record<string, Operation>> }

let running: RunningApp
let document: Document
let operations: Array<[string, Operation]>

beforeAll(async () => {
  running = await startApp()
  document = (await running.api.get<Document>('/openapi.json')).body
  operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]): [string, Operation] => [
      `${method.toUpperCase()} ${path}`,
      operation,
    ]),
  )
})
afterAll(async () => {
  await running.close()
  await removeTemporaryDirectories()
})

/** Names of operations for which something is missing. */
const without = (has: (operation: Operation) => unknown) =>
  operations.filter(([, operation]) => !has(operation)).map(([name]) => name)

describe('GET /openapi.json', () => {
  it('is a valid OpenAPI document', async () => {
    expect(await new Validator().validate(structuredClone(document))).toEqual({ valid: true })
  })

  it('holds every route of the contract so far', () => {
    expect(operations.map(([name]) => name).sort()).toEqual(
      [
        'DELETE /api/v1/commands/{id}',
        'DELETE /api/v1/devices/{deviceId}',
        'GET /api/v1/commands/{id}',
        'GET /api/v1/devices/{deviceId}/commands',
        'POST /api/v1/devices/{deviceId}/commands',
        'DELETE /api/v1/users/{username}',
        'GET /.well-known/jwks.json',
        'GET /api/v1/alarms',
        'GET /api/v1/alarms/summary',
        'GET /api/v1/alarms/{id}',
        'GET /api/v1/audit',
        'GET /api/v1/auth/me',
        'GET /api/v1/devices',
        'GET /api/v1/devices/{deviceId}',
        'GET /api/v1/devices/{deviceId}/frames',
        'GET /api/v1/devices/{deviceId}/odometer',
        'GET /api/v1/devices/{deviceId}/track',
        'GET /api/v1/quarantine',
        'GET /api/v1/users',
        'GET /api/v1/users/{username}',
        'GET /health/live',
        'GET /health/ready',
        'GET /metrics',
        'PATCH /api/v1/alarms/{id}',
        'PATCH /api/v1/devices/{deviceId}',
        'PATCH /api/v1/users/{username}',
        'POST /api/v1/alarms',
        'POST /api/v1/auth/device',
        'POST /api/v1/auth/login',
        'POST /api/v1/auth/logout',
        'POST /api/v1/auth/password',
        'POST /api/v1/auth/refresh',
        'POST /api/v1/devices',
        'POST /api/v1/devices/import',
        'POST /api/v1/devices/{deviceId}/secret',
        'POST /api/v1/locations',
        'POST /api/v1/users',
        'PUT /api/v1/videos/{id}',
        'POST /api/v1/videos/{id}/complete',
        'POST /api/v1/videos/uploads',
        'POST /api/v1/videos/uploads/{uploadId}',
        'POST /api/v1/videos/direct',
        'POST /api/v1/videos',
        'PATCH /api/v1/videos/uploads/{uploadId}',
        'OPTIONS /api/v1/videos/uploads',
        'HEAD /api/v1/videos/uploads/{uploadId}',
        'DELETE /api/v1/videos/uploads/{uploadId}',
        'DELETE /api/v1/videos/{id}',
        'GET /api/v1/videos',
        'GET /api/v1/videos/{id}',
        'GET /api/v1/videos/{id}/content',
        'GET /api/v1/videos/{id}/screenshots/{number}',
        'GET /api/v1/videos/{id}/thumbnail',
        'PATCH /api/v1/videos/{id}',
        'POST /api/v1/videos/{id}/link',
      ].sort(),
    )
  })

  it('names each place once', () => {
    const places = Object.keys(document.paths).map((path) => path.replace(/\{\w+\}/g, '{}'))
    expect(places.filter((place, index) => places.indexOf(place) !== index)).toEqual([])
  })

  it('says what each one is for', () => {
    expect(
      without(({ operationId, summary, description, tags }) => operationId && summary && description && tags?.length),
    ).toEqual([])
    const ids = operations.map(([, { operationId }]) => operationId)
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('describes each good answer, with a schema unless it is empty', () => {
    const isDescribed = ({ responses }: Operation) => {
      const good = Object.entries(responses).filter(([status]) => status.startsWith('2'))
      return (
        good.length > 0 &&
        good.every(
          ([status, { description, content }]) =>
            description && (status === '204' || Object.values(content ?? {}).every(({ schema }) => schema)),
        )
      )
    }
    expect(without(isDescribed)).toEqual([])
  })

  it('describes refusals as problem details with an example for each code', () => {
    const refusals = operations.flatMap(([name, { responses }]) =>
      Object.entries(responses)
        .filter(([status]) => Number(status) >= 400 && !name.endsWith('/health/ready'))
        .map(([status, { content }]) => ({
          name: `${name} ${status}`,
          content: content?.['application/problem+json'],
        })),
    )
    expect(refusals.length).toBeGreaterThan(80)
    expect(refusals.filter(({ content }) => content?.schema === undefined || content.examples === undefined)).toEqual(
      [],
    )
  })

  it('names the kind of bearer token that each route asks for, and its refusals', () => {
    const secured = operations.filter(([, { security }]) => security !== undefined)
    expect(new Set(secured.flatMap(([, { security }]) => Object.keys(security?.[0] ?? {})))).toEqual(
      new Set(['user', 'device']),
    )
    expect(secured.filter(([, { responses }]) => responses['401'] === undefined)).toEqual([])
    const isPublic = (name: string) => /health|metrics|jwks|auth\/(device|login|refresh)|OPTIONS/.test(name)
    expect(
      operations.filter(([name, { security }]) => security === undefined && !isPublic(name)).map(([name]) => name),
    ).toEqual([])
  })

  it('shows an example for each JSON body', () => {
    const hasExample = ({ requestBody }: Operation) => {
      const content = requestBody?.content['application/json']
      return content === undefined || JSON.stringify(resolve(content)).includes('"example')
    }
    expect(without(hasExample)).toEqual([])
  })
})

describe('Swagger UI', () => {
  it('is served with its own scripts and a policy that lets them run', async () => {
    const page = await running.api.get('/docs')
    expect([page.status, page.headers.get('content-type')]).toEqual([200, expect.stringContaining('text/html')])
    const scripts = [...page.text.matchAll(/src="([^"]+)"/g)].map(
      ([, source]) => new URL(source as string, `${running.url}/docs`).pathname,
    )
    expect(scripts.length).toBeGreaterThan(1)
    for (const script of scripts) expect([script, (await running.api.get(script)).status]).toEqual([script, 200])
  })
})

/** The content with the schemas that it refers to. */
function resolve(content: object): unknown {
  const schemas = (document.components as { schemas: Record<string, object> }).schemas
  return JSON.parse(JSON.stringify(content), (_, value: unknown) => {
    const reference = (value as { $ref?: string } | null)?.$ref
    return reference === undefined ? value : schemas[reference.replace('#/components/schemas/', '')]
  })
}
