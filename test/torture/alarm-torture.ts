import type { Api } from '../support/api.js'
import { ADMIN_PASSWORD } from '../support/server-process.js'
import { type KillTortureOptions, type KillTortureResult, underKills } from './kill-torture.js'
import { fileNameOf, RelentlessAlarmUnit } from './relentless-alarm-unit.js'

export interface AlarmTortureResult extends KillTortureResult {
  /** There, but not under the id that the unit was given, or not as it was sent. */
  readonly altered: number
}

interface StoredAlarm {
  readonly id: string
  readonly time: string
  readonly files: ReadonlyArray<{ readonly fileName: string }>
  readonly history: readonly unknown[]
}

/** The same with alarms: whoever holds an acknowledgement finds its alarm, whole and once, under the id it was given. */
export function tortureAlarmsByKills(options: KillTortureOptions): Promise<AlarmTortureResult> {
  return underKills(options, (...unit) => new RelentlessAlarmUnit(...unit), compareAlarms)
}

/** What units hold acknowledgements for, beside the alarms that the server has. @param kills passed on into the result */
export async function compareAlarms(
  api: Api,
  units: readonly RelentlessAlarmUnit[],
  kills: number,
): Promise<AlarmTortureResult> {
  const token = await api.login('admin', ADMIN_PASSWORD)
  const result = { kills, acked: 0, lost: 0, doubled: 0, invented: 0, resent: 0, altered: 0 }
  for (const unit of units) {
    const stored = await api.all<StoredAlarm>(`/api/v1/alarms?deviceId=${unit.imei}&limit=500`, token)
    const times = new Set(stored.map(({ time }) => Date.parse(time)))
    result.acked += unit.acked.size
    result.resent += unit.duplicates
    result.doubled += stored.length - times.size
    result.altered += stored.filter((alarm) => !isAsAcknowledged(alarm, unit)).length
    for (const timeMs of unit.acked) if (!times.has(timeMs)) result.lost += 1
    for (const timeMs of times) if (!unit.sent.has(timeMs)) result.invented += 1
  }
  return result
}

function isAsAcknowledged({ id, time, files, history }: StoredAlarm, { ids }: RelentlessAlarmUnit): boolean {
  const timeMs = Date.parse(time)
  return (
    ids.get(timeMs) === id && history.length === 1 && files.length === 1 && files[0]?.fileName === fileNameOf(timeMs)
  )
}
