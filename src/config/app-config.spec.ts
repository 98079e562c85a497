import { readFileSync } from 'node:fs'
import { ConfigError, parseConfig } from './app-config.js'
import { CONFIG_SCHEMA } from './config.schema.js'
import { renderEnvExample } from './env-example.js'

function problemsOf(environment: Record<string, string>): string[] {
  try {
    parseConfig(environment)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ variable }) => variable)
  }
  return []
}

describe('parseConfig', () => {
  it('needs nothing', () => {
    expect(parseConfig({})).toMatchObject({
      HOST: '0.0.0.0',
      PORT: 3000,
      DATA_DIR: './data',
      DEVICE_ENROLMENT: 'registered',
      IMEI_CHECK: 'luhn',
      RETENTION_DAYS: 90,
      LOGIN_FAILURES_PER_MINUTE: 20,
      DEVICE_EVENTS_PER_SECOND: 50,
      DEVICE_TOKEN_TTL_S: 864_000,
      USER_TOKEN_TTL_S: 900,
      DISK_MIN_FREE: 536_870_912,
      SHUTDOWN_GRACE_S: 10,
      SOCKET_QUERY_TOKEN: false,
    })
  })

  it('names every wrong variable at once', () => {
    const environment = {
      PORT: 'x',
      RETENTION_DAYS: '-1',
      IMEI_CHECK: 'none',
      TRUST_PROXY: 'proxy.local',
      ADMIN_PASSWORD: 'short',
      SIGNING_KEYS: '{}',
    }
    expect(problemsOf(environment).sort()).toEqual(Object.keys(environment).sort())
  })

  it('says what is wrong and ends with 78', () => {
    try {
      parseConfig({ PORT: '70000' })
      throw new Error('was accepted')
    } catch (error) {
      expect(error).toMatchObject({
        exitCode: 78,
        message: 'wrong configuration: PORT must be a whole number from 0 to 65535',
      })
    }
  })

  it('does not leave a connection open to be read where its certificate was to be verified', () => {
    expect(problemsOf({ SQL_TLS_CA: '/etc/ca.pem' })).toEqual(['SQL_TLS'])
    expect(problemsOf({ SQL_TLS: 'on', SQL_TLS_CA: '/etc/ca.pem' })).toEqual([])
  })

  it('takes an empty variable as unset and trims', () => {
    expect(parseConfig({ PORT: '', HOST: ' 127.0.0.1 ' })).toMatchObject({ PORT: 3000, HOST: '127.0.0.1' })
  })

  it('reads lists and flags', () => {
    const config = parseConfig({
      TRUST_PROXY: '10.0.0.0/8, ::1',
      CORS_ORIGINS: 'https://a.example,http://b.example:8080',
      SOCKET_QUERY_TOKEN: 'true',
    })
    expect(config.TRUST_PROXY).toEqual(['10.0.0.0/8', '::1'])
    expect(config.CORS_ORIGINS).toEqual(['https://a.example', 'http://b.example:8080'])
    expect(config.SOCKET_QUERY_TOKEN).toBe(true)
  })

  it('cannot be changed', () => {
    const config = parseConfig({}) as { PORT: number }
    expect(() => {
      config.PORT = 1
    }).toThrow(TypeError)
  })
})

describe('.env.example', () => {
  it('is what the schema says; `npm run env:example` writes it', () => {
    expect(readFileSync('.env.example', 'utf8')).toBe(renderEnvExample())
  })

  it('shows every variable with its meaning, and reads back as the defaults', () => {
    const text = renderEnvExample()
    const shown = [...text.matchAll(/^# ([A-Z0-9_]+)=(.*)$/gm)].map(([, name, value]) => [
      name as string,
      value as string,
    ])
    expect(shown.map(([name]) => name)).toEqual(Object.keys(CONFIG_SCHEMA.shape))
    expect(parseConfig(Object.fromEntries(shown))).toEqual(parseConfig({}))
    for (const schema of Object.values(CONFIG_SCHEMA.shape)) expect(schema.description).toMatch(/\w/)
  })
})
