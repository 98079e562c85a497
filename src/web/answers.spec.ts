import { z } from 'zod'
import { Answers, Refuses, RefusesWith } from './answers.js'

class Routes {
  @Refuses('device_exists', 'token_missing', 'login_refused')
  @Refuses('idempotency_in_progress', 'idempotency_key_reused')
  create(): void {}

  @Refuses()
  @Answers(503, 'Why it does not work', z.object({ reason: z.string() }))
  report(): void {}

  @Refuses('device_exists', 'token_missing')
  @RefusesWith(422, 'file_exists')
  @Refuses('not_found', 'idempotency_key_reused')
  upload(): void {}
}

describe('Refuses', () => {
  const responses = Reflect.getMetadata('swagger/apiResponse', Routes.prototype.create)

  it('adds up over several decorators, one response per status', () => {
    expect(Object.keys(responses)).toEqual(['400', '401', '409', '422', '500', '503'])
    expect(responses[409].description).toBe(
      '`idempotency_in_progress` The first request with this key is still running; `device_exists` A device with this id exists',
    )
    expect(Object.keys(responses[409].content['application/problem+json'].examples)).toEqual([
      'idempotency_in_progress',
      'device_exists',
    ])
  })

  it('names what any route may answer with once', () => {
    expect(responses[503].description).toBe(
      '`store_unavailable` A store is not available; `overloaded` Too much is waiting already',
    )
  })

  it('shows each code as it would come', () => {
    expect(responses[422].content['application/problem+json'].examples.idempotency_key_reused.value).toEqual({
      type: 'urn:milepost:error:idempotency_key_reused',
      title: 'The key was used with another body',
      status: 422,
      detail: 'The key was used with another body',
      code: 'idempotency_key_reused',
    })
  })

  it('names the headers that come with each', () => {
    const headersOf = (status: number) =>
      Object.entries(responses[status].headers as Record<string, { required: boolean }>).map(
        ([name, { required }]) => `${name}${required ? '' : '?'}`,
      )
    expect(headersOf(409)).toEqual([])
    expect(headersOf(503)).toEqual(['Retry-After'])
    expect(headersOf(401)).toEqual(['WWW-Authenticate', 'RateLimit-Limit?', 'RateLimit-Remaining?', 'RateLimit-Reset?'])
  })

  it('gives a code the status that the route has for it', () => {
    const uploads = Reflect.getMetadata('swagger/apiResponse', Routes.prototype.upload)
    const examplesOf = (status: number): Record<string, { value: { status: number } }> =>
      uploads[status].content['application/problem+json'].examples
    expect(Object.keys(uploads)).toEqual(['400', '401', '404', '409', '422', '500', '503'])
    expect(Object.keys(examplesOf(409))).toEqual(['device_exists'])
    expect(Object.keys(examplesOf(422))).toEqual(['idempotency_key_reused', 'file_exists'])
    expect(examplesOf(422).file_exists?.value.status).toBe(422)
  })

  it('leaves a status alone that the route documents itself', () => {
    const { 503: own, 500: refused } = Reflect.getMetadata('swagger/apiResponse', Routes.prototype.report)
    expect([own.description, own.headers]).toEqual(['Why it does not work', undefined])
    expect(refused.description).toBe('`internal` Something went wrong on the server')
  })
})
