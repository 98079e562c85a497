import { setTimeout as sleep } from 'node:timers/promises'
import type { AlarmJson } from '../../src/web/alarm-json.js'
import type { Answer } from './api.js'
import type { RunningApp } from './app.js'
import { ADMIN_PASSWORD } from './server-process.js'

export const ALARMS = '/api/v1/alarms'
const UNTIL_MS = 5000

/** An alarm, or the problem that was answered instead. */
export type AlarmAnswer = Partial<AlarmJson> & {
  readonly code?: string
  readonly errors?: ReadonlyArray<{ readonly path: string }>
}

/** What units and people ask of the alarms' routes. */
export class AlarmCalls {
  constructor(private readonly running: RunningApp) {}

  /** @param token of a device */
  raise(token: string, body: unknown): Promise<Answer<AlarmAnswer>> {
    return this.running.api.post(ALARMS, body, token)
  }

  get(id: string, token = this.running.admin): Promise<Answer<AlarmAnswer>> {
    return this.running.api.get(`${ALARMS}/${encodeURIComponent(id)}`, token)
  }

  change(id: string, body: unknown, token = this.running.admin): Promise<Answer<AlarmAnswer>> {
    return this.running.api.request('PATCH', `${ALARMS}/${id}`, { token, body })
  }

  /** All pages. */
  list(query = ''): Promise<AlarmJson[]> {
    return this.running.api.all(`${ALARMS}?${query}`, this.running.admin)
  }

  async summary(query: string): Promise<Array<{ key: string; count: number }>> {
    const path = `${ALARMS}/summary?${query}`
    const { status, text, body } = await this.running.api.get<{ items: Array<{ key: string; count: number }> }>(
      path,
      this.running.admin,
    )
    if (status !== 200) throw new Error(text)
    return body.items
  }

  /** @returns the access token */
  async addUser(username: string, role: string): Promise<string> {
    const body = { username, password: ADMIN_PASSWORD, role }
    const { status, text } = await this.running.api.post('/api/v1/users', body, this.running.admin)
    if (status !== 201) throw new Error(text)
    return this.running.api.login(username, ADMIN_PASSWORD)
  }

  /** @param series name and labels as the text format writes them */
  async metric(series: string): Promise<number> {
    const { text } = await this.running.api.get('/metrics')
    const line = text.split('\n').find((one) => one.startsWith(`${series} `))
    return Number(line?.slice(series.length + 1))
  }

  /** Waits for what the live feed brings. */
  async until(isThere: () => boolean): Promise<void> {
    for (let waitedMs = 0; !isThere(); waitedMs += 10) {
      if (waitedMs > UNTIL_MS) throw new Error('it did not come')
      await sleep(10)
    }
  }
}
