import type { Answer } from './api.js'
import { testImei } from './api.js'
import type { RunningApp } from './app.js'

export const DEVICES = '/api/v1/devices'

/** A device as the API shows it. */
export interface DeviceItem {
  readonly deviceId: string
  readonly [field: string]: unknown
}

/** What an admin asks of the devices' routes. */
export class DeviceCalls {
  /** @param firstImei where the range of IMEIs begins that {@link newImei} gives out */
  constructor(
    private readonly running: RunningApp,
    private nextImei: number,
  ) {}

  newImei(): string {
    return testImei(this.nextImei++)
  }

  /** @param path behind `/devices` */
  call<T = DeviceItem>(method: string, path: string, body?: unknown, token = this.running.admin): Promise<Answer<T>> {
    return this.running.api.request<T>(method, `${DEVICES}${path}`, { token, body })
  }

  /** Ids on all pages of a list. */
  async idsOf(query: string): Promise<string[]> {
    const items = await this.running.api.all<DeviceItem>(`${DEVICES}?${query}`, this.running.admin)
    return items.map(({ deviceId }) => deviceId)
  }

  /** A store or service of the running application. */
  get<T>(token: abstract new (...parameters: never[]) => T): T {
    return this.running.app.get(token, { strict: false })
  }
}
