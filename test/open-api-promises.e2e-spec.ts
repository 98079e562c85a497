import { createOpenApi } from '../src/web/open-api.js'
import type { Answer } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { removeTemporaryDirectories } from './support/temporary-directory.js'

interface Content {
  readonly schema: {
    readonly $ref?: string
    readonly example?: unknown
    readonly anyOf?: Array<{ example?: unknown }>
    readonly properties?: Record<string, { readonly format?: string; readonly example?: unknown }>
  }
}
interface Operation {
  readonly operationId: string
  readonly description: string
  readonly tags: string[]
  readonly security?: Array<Record<string, unknown>>
  readonly parameters?: Array<{
    in: string
    name: string
    required?: boolean
    description?: string
    schema: { example?: unknown; default?: unknown }
  }>
  readonly requestBody?: { readonly content: Record<string, Content> }
  readonly responses: Record<string, { headers?: Record<string, { required?: boolean }> }>
}
interface Document {
  readonly tags: Array<{ name: string; description: string }>
  readonly paths: Record<string, Record<string, Operation>>
  readonly components: { schemas: Record<string, { example?: unknown }> }
}

const METHODS = ['GET', 'PUT', 'POST', 'PATCH', 'DELETE']

let running: RunningApp
let document: Document
let operations: Array<Operation & { method: string; path: string }>

beforeAll(async () => {
  running = await startApp()
  document = (await running.api.get<Document & Record<string, unknown>>('/openapi.json')).body
  operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ ...operation, method: method.toUpperCase(), path })),
  )
})
afterAll(async () => {
  await running.close()
  await removeTemporaryDirectories()
})

/** The path with the examples of its parameters. */
const pathOf = ({ path, parameters = [] }: Pick<Operation, 'parameters'> & { path: string }) =>
  path.replace(/\{(\w+)\}/g, (_, name: string) =>
    String(parameters.find((one) => one.in === 'path' && one.name === name)?.schema.example),
  )

/** A path may be what another one has a name for: a device may be called "import". */
const methodsAt = (url: string) => {
  const items = Object.entries(document.paths).filter(([path]) =>
    new RegExp(`^${path.replace(/\./g, '\\.').replace(/\{\w+\}/g, '[^/]+')}$`).test(url),
  )
  const methods = items.flatMap(([, item]) => Object.keys(item)).map((method) => method.toUpperCase())
  return [...new Set([...methods, ...(methods.includes('GET') ? ['HEAD'] : [])])].sort()
}

const named = (operationId: string) => {
  const found = operations.find((operation) => operation.operationId === operationId)
  if (found === undefined) throw new Error(`no operation ${operationId}`)
  return found
}

/** Sends the example of a body as the document shows it. */
const sendExample = (operationId: string, token?: string): Promise<Answer> => {
  const { method, requestBody, ...operation } = named(operationId)
  const [type, content] = Object.entries(requestBody?.content ?? {})[0] ?? []
  const { $ref, example, anyOf } = content?.schema ?? {}
  const body =
    $ref === undefined
      ? (example ?? anyOf?.[0]?.example)
      : document.components.schemas[$ref.split('/').pop() ?? '']?.example
  return running.api.request(method, pathOf(operation), {
    token,
    text: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'content-type': type ?? '' },
  })
}

describe('the documented API', () => {
  it('takes the examples of bodies as they are', async () => {
    const { admin } = running
    expect((await sendExample('createDevice', admin)).status).toBe(201)
    const login = await sendExample('loginDevice')
    expect(login.status).toBe(200)
    const sent = await sendExample('sendLocations', String(login.body.accessToken))
    const raised = await sendExample('raiseAlarm', String(login.body.accessToken))
    expect([raised.status, raised.body.type, raised.body.timeSuspect]).toEqual([201, 'HARD_BRAKE', false])
    expect([sent.status, sent.body]).toEqual([200, { accepted: 1, duplicates: 0, rejected: [] }])
    expect((await sendExample('changeDevice', admin)).status).toBe(200)
    const imported = await sendExample('importDevices', admin)
    expect([imported.status, imported.body]).toEqual([200, { created: 0, updated: 1, rejected: [] }])
    expect((await sendExample('sendCommand', admin)).status).toBe(202)
    expect((await sendExample('createUser', admin)).status).toBe(201)
    expect((await sendExample('changeUser', admin)).status).toBe(200)
    // Nobody can show a right password or token of this server: these are right in form.
    expect((await sendExample('loginUser')).body.code).toBe('login_refused')
    expect((await sendExample('changePassword', admin)).body.code).toBe('login_refused')
    expect((await sendExample('refreshUser')).body.code).toBe('token_invalid')
  })

  it('fills in, for whoever tries a call, what leads to an answer at once and no filter that hides things', () => {
    const filledIn = operations.flatMap(({ operationId, parameters = [] }) =>
      parameters
        .filter(({ required, schema }) => !required && (schema.example ?? schema.default) !== undefined)
        .map(({ name }) => ({ operationId, name })),
    )
    expect(filledIn.filter(({ name }) => !['limit', 'sort'].includes(name))).toEqual([
      // The one example of what is required but for its alternative.
      { operationId: 'createUpload', name: 'Upload-Length' },
    ])
    const empty = operations.flatMap(({ operationId, parameters = [] }) =>
      parameters
        .filter(({ in: place, required, schema }) => place !== 'query' && required && schema.example === undefined)
        .map(({ name }) => `${operationId}.${name}`),
    )
    expect(empty).toEqual([])
  })

  it('fills in forms with examples, where whoever tries a call would get texts made of patterns', () => {
    const forms = operations.flatMap(({ operationId, requestBody }) =>
      Object.entries(requestBody?.content['multipart/form-data']?.schema.properties ?? {}).map(([name, field]) => ({
        name: `${operationId}.${name}`,
        isFilledIn: field.format === 'binary' || field.example !== undefined,
      })),
    )
    expect(forms).toEqual([
      { name: 'postVideo.recordedAt', isFilledIn: true },
      { name: 'postVideo.file', isFilledIn: true },
    ])
  })

  it('takes the examples of headers as they are', async () => {
    const device = await running.api.loginDevice('350123451234567')
    const headersOf = ({ parameters = [] }: Operation) =>
      Object.fromEntries(
        parameters
          .filter(({ in: place, schema }) => place === 'header' && schema.example !== undefined)
          .map(({ name, schema }) => [name, String(schema.example)]),
      )
    const begin = named('createUpload')
    const begun = await running.api.request(begin.method, begin.path, { token: device, headers: headersOf(begin) })
    expect(begun.status).toBe(201)
    const { method, ...rest } = named('continueUpload')
    const answer = await running.api.request(method, String(begun.headers.get('location')), {
      token: device,
      text: '',
      headers: { ...headersOf({ method, ...rest } as Operation), 'content-type': 'application/offset+octet-stream' },
    })
    expect([answer.status, answer.headers.get('upload-offset')]).toEqual([204, '0'])
  })

  it('refuses a query parameter that no route knows, on every route', async () => {
    const device = await running.api.loginDevice('350123451234567')
    for (const operation of operations) {
      const kind = Object.keys(operation.security?.[0] ?? {})[0]
      const token = kind === 'device' ? device : kind === 'user' ? running.admin : undefined
      const isCsv = operation.requestBody?.content['text/csv'] !== undefined
      const { status, body } = await running.api.request(operation.method, `${pathOf(operation)}?surprise=1`, {
        token,
        ...(isCsv ? { text: 'deviceId', headers: { 'content-type': 'text/csv' } } : {}),
      })
      // The answer to a HEAD has no words.
      if (operation.method === 'HEAD') {
        expect([operation.operationId, status]).toEqual([operation.operationId, 400])
        continue
      }
      expect([operation.operationId, status, body.code, body.errors]).toEqual([
        operation.operationId,
        400,
        'unknown_parameter',
        expect.arrayContaining([{ path: 'surprise', code: 'unknown_field', message: 'is not known here' }]),
      ])
    }
  })

  it('answers a method that a path does not have with those that it has, whatever the body', async () => {
    for (const [path, item] of Object.entries(document.paths)) {
      const [operation] = Object.values(item) as [Operation]
      const url = pathOf({ ...operation, path })
      const there = methodsAt(url)
      for (const method of METHODS.filter((one) => !there.includes(one))) {
        const text = method === 'GET' ? undefined : '{'
        const answer = await running.api.request(method, url, { text })
        expect([path, method, answer.status, answer.body.code, answer.headers.get('allow')]).toEqual([
          path,
          method,
          405,
          'method_not_allowed',
          there.join(', '),
        ])
      }
    }
  })

  it('says which role each route for people needs', () => {
    const roleOf = (operationId: string) => /Needs the role `(\w+)`/.exec(named(operationId).description)?.[1]
    expect(['getMe', 'listDevices', 'createDevice', 'listAudit', 'sendLocations', 'loginUser'].map(roleOf)).toEqual([
      'viewer',
      'viewer',
      'admin',
      'admin',
      undefined,
      undefined,
    ])
  })

  it('is the same however often it is made', () => {
    expect(JSON.parse(JSON.stringify(createOpenApi(running.app)))).toEqual(document)
  })

  it('names the headers that a client can act on', () => {
    const headersOf = (operationId: string, status: string) =>
      Object.entries(named(operationId).responses[status]?.headers ?? {}).map(([name, { required }]) =>
        required ? name : `${name}?`,
      )
    const limits = ['RateLimit-Limit?', 'RateLimit-Remaining?', 'RateLimit-Reset?']
    expect(headersOf('createDevice', '201')).toEqual(['Location', 'Idempotent-Replayed?'])
    expect(headersOf('loginDevice', '200')).toEqual(limits)
    expect(headersOf('loginUser', '429')).toEqual(['Retry-After', ...limits])
    expect(headersOf('sendLocations', '429')).toEqual(['Retry-After', ...limits])
    expect(headersOf('getTrack', '200')).toEqual(['Content-Disposition?'])
    const without = (status: string, header: string) =>
      operations
        .filter(({ operationId, responses }) => responses[status] && !headersOf(operationId, status).includes(header))
        .map(({ operationId }) => operationId)
    expect(without('401', 'WWW-Authenticate')).toEqual([])
    expect(without('429', 'Retry-After')).toEqual([])
    expect(without('503', 'Retry-After')).toEqual(['getReadiness'])
  })

  it('describes its groups in the order in which a reader needs them, and every parameter', () => {
    const groups = document.tags.map(({ name }) => name)
    expect(groups).toEqual([
      'auth',
      'devices',
      'tracks',
      'alarms',
      'videos',
      'commands',
      'units',
      'users',
      'audit',
      'operations',
    ])
    expect(operations.flatMap(({ tags }) => tags).filter((tag) => !groups.includes(tag))).toEqual([])
    expect(document.tags.filter(({ description }) => !description)).toEqual([])
    const silent = operations.flatMap(({ operationId, parameters = [] }) =>
      parameters.filter(({ description }) => !description).map(({ name }) => `${operationId}.${name}`),
    )
    expect(silent).toEqual([])
  })
})
