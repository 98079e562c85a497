/** What an answer was: status, headers and, when it is JSON, the body. */
export interface Answer<T = Record<string, unknown>> {
  readonly status: number
  readonly headers: Headers
  readonly body: T
  readonly text: string
}

export interface RequestOptions {
  readonly token?: string
  readonly body?: unknown
  readonly headers?: Record<string, string>
  readonly text?: string
}

/** A client of the REST API, as an integrator would write one. */
export class Api {
  constructor(readonly url: string) {}

  async request<T = Record<string, unknown>>(
    method: string,
    path: string,
    options: RequestOptions = {},
  ): Promise<Answer<T>> {
    const headers: Record<string, string> = { ...options.headers }
    if (options.token !== undefined) headers.authorization = `Bearer ${options.token}`
    if (options.body !== undefined) headers['content-type'] ??= 'application/json'
    const body = options.text ?? (options.body === undefined ? undefined : JSON.stringify(options.body))
    const response = await fetch(`${this.url}${path}`, { method, headers, body })
    const text = await response.text()
    const isJson = text !== '' && /\bjson\b/.test(response.headers.get('content-type') ?? '')
    return { status: response.status, headers: response.headers, body: (isJson ? JSON.parse(text) : {}) as T, text }
  }

  get<T = Record<string, unknown>>(path: string, token?: string): Promise<Answer<T>> {
    return this.request('GET', path, { token })
  }

  post<T = Record<string, unknown>>(path: string, body: unknown, token?: string): Promise<Answer<T>> {
    return this.request('POST', path, { body, token })
  }

  /** @returns the access token */
  async login(username: string, password: string): Promise<string> {
    const { status, body, text } = await this.post<{ accessToken: string }>('/api/v1/auth/login', {
      username,
      password,
    })
    if (status !== 200) throw new Error(`login refused: ${text}`)
    return body.accessToken
  }

  /** @returns the device token */
  async loginDevice(imei: string, secret?: string): Promise<string> {
    const { status, body, text } = await this.post<{ accessToken: string }>('/api/v1/auth/device', { imei, secret })
    if (status !== 200) throw new Error(`device login refused: ${text}`)
    return body.accessToken
  }

  /** All pages of a list. */
  async all<T>(path: string, token: string): Promise<T[]> {
    const items: T[] = []
    let cursor: string | null = null
    do {
      const separator = path.includes('?') ? '&' : '?'
      const page: Answer<{ items: T[]; nextCursor: string | null }> = await this.get(
        `${path}${cursor === null ? '' : `${separator}cursor=${encodeURIComponent(cursor)}`}`,
        token,
      )
      if (page.status !== 200) throw new Error(page.text)
      items.push(...page.body.items)
      cursor = page.body.nextCursor
    } while (cursor !== null)
    return items
  }
}

/** The n-th IMEI of a range for tests, with a valid check digit. */
export function testImei(n: number): string {
  const body = `35000000${String(n).padStart(6, '0')}`
  for (let digit = 0; digit < 10; digit++) if (luhn(`${body}${digit}`)) return `${body}${digit}`
  throw new Error('no check digit')
}

function luhn(digits: string): boolean {
  const sum = [...digits].reverse().reduce((total, text, index) => {
    const digit = Number(text) * (index % 2 === 1 ? 2 : 1)
    return total + (digit > 9 ? digit - 9 : digit)
  }, 0)
  return sum % 10 === 0
}
