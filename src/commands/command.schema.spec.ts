import { newCommandIn, toCommandParams } from './command.schema.js'

const paramsOf = (type: string, params?: unknown) => toCommandParams(newCommandIn.parse({ type, params }))

describe('the body of a command', () => {
  it('has the parameters of its type', () => {
    expect(paramsOf('RESET')).toEqual({})
    expect(paramsOf('REBOOT', {})).toEqual({})
    expect(paramsOf('SET_INTERVAL', { seconds: 86_400 })).toEqual({ seconds: 86_400 })
    expect(paramsOf('REQUEST_VIDEO', { from: 0, to: 86_400_000 })).toEqual({
      from: '1970-01-01T00:00:00.000Z',
      to: '1970-01-02T00:00:00.000Z',
    })
    expect(paramsOf('CUSTOM', { text: 'getver 😀' })).toEqual({ text: 'getver 😀' })
    expect(newCommandIn.parse({ type: 'RESET' }).ttlSeconds).toBe(86_400)
  })

  it.each([
    ['fleet.example.com'],
    ['localhost'],
    ['a-b.c1'],
    ['7up.example'],
    ['192.0.2.7'],
    ['255.255.255.255'],
    ['2001:db8::7'],
    ['2001:db8::'],
    ['::1'],
    ['1:2:3:4:5:6:7:8'],
    ['FE80::a:B'],
    [`${'a.'.repeat(30)}aa`],
  ])('takes the host %s', (host) => {
    expect(paramsOf('SET_SERVER', { host, port: 65_535 })).toEqual({ host, port: 65_535 })
  })

  it.each([
    ['no type', {}],
    ['an unknown type', { type: 'reset' }],
    ['an unknown field', { type: 'RESET', ttl: 5 }],
    ['parameters where there are none', { type: 'RESET', params: { hard: true } }],
    ['no parameters', { type: 'SET_INTERVAL' }],
    ['no second', { type: 'SET_INTERVAL', params: { seconds: 0 } }],
    ['more than a day', { type: 'SET_INTERVAL', params: { seconds: 86_401 } }],
    ['half a second', { type: 'SET_INTERVAL', params: { seconds: 1.5 } }],
    ['a text for a number', { type: 'SET_INTERVAL', params: { seconds: '30' } }],
    ['no port', { type: 'SET_SERVER', params: { host: 'a.example' } }],
    ['port 0', { type: 'SET_SERVER', params: { host: 'a.example', port: 0 } }],
    ['port 65536', { type: 'SET_SERVER', params: { host: 'a.example', port: 65_536 } }],
    ...[
      '',
      'a b',
      'a;b',
      '-a.example',
      'a..b',
      '300.1.1.1',
      '1.2.3',
      ':::1',
      '1:2',
      'http://a.example',
      'a.example\n',
    ].map(
      (host) =>
        [`host ${JSON.stringify(host)}`, { type: 'SET_SERVER', params: { host, port: 1 } }] as [string, unknown],
    ),
    ['a name of 254', { type: 'SET_SERVER', params: { host: `${'a.'.repeat(126)}aa`, port: 1 } }],
    ['a date', { type: 'REQUEST_VIDEO', params: { from: '2026-11-22', to: '2026-11-23' } }],
    ['no span', { type: 'REQUEST_VIDEO', params: { from: 1000, to: 1000 } }],
    ['the end before the beginning', { type: 'REQUEST_VIDEO', params: { from: 1000, to: 999 } }],
    ['over a day of video', { type: 'REQUEST_VIDEO', params: { from: 0, to: 86_400_001 } }],
    ['no channel', { type: 'REQUEST_VIDEO', params: { from: 0, to: 1, channel: -1 } }],
    ['no text', { type: 'CUSTOM', params: { text: '' } }],
    ['too much text', { type: 'CUSTOM', params: { text: 'x'.repeat(1001) } }],
    ['control characters', { type: 'CUSTOM', params: { text: 'a\u0000b' } }],
    ['no time to live', { type: 'RESET', ttlSeconds: 0 }],
    ['more than a week to live', { type: 'RESET', ttlSeconds: 604_801 }],
  ])('refuses %s', (_what, body) => {
    expect(newCommandIn.safeParse(body).success).toBe(false)
  })
})
