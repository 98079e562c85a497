import type { DeviceId } from '../../model/device-id.js'
import { deviceSearchText } from './alarm-words.js'
import type { SqlDialect } from './sql-dialect.js'
import { chunksOf, insertRows, isOneOf, type Queries, runSql, sql } from './sql-rows.js'

interface NamedDevice {
  readonly device_id: DeviceId
  readonly name: string | null
  readonly plate: string | null
}

const COLUMNS = ['device_id', 'name', 'plate', 'words']

/**
 * Puts devices among those that have alarms, with their words. Always in one order, so that two who do it for the same devices do not
 * wait for each other.
 */
export async function insertAlarmDevices(
  queries: Queries,
  dialect: SqlDialect,
  deviceIds: readonly DeviceId[],
): Promise<void> {
  for (const some of chunksOf(deviceIds.toSorted(), dialect.atOnce.sought)) {
    const rows = (await namesOf(queries, some)).map(({ device_id, name, plate }) => [
      device_id,
      name,
      plate,
      deviceSearchText(device_id, name, plate),
    ])
    await insertRows(queries, dialect, 'alarm_devices', COLUMNS, rows, dialect.unlessThere('device_id'))
  }
}

/** Devices whose words were made of another name or plate than they have now. */
export function findRenamedDevices(queries: Queries): Promise<NamedDevice[]> {
  const text = `SELECT known.device_id, device.name, device.plate
    FROM alarm_devices known LEFT JOIN devices device ON device.device_id = known.device_id
    WHERE COALESCE(device.name, '') <> COALESCE(known.name, '') OR COALESCE(device.plate, '') <> COALESCE(known.plate, '')`
  return runSql(queries, sql(text))
}

export async function countAlarmDevices(queries: Queries): Promise<number> {
  const [counted] = await runSql<{ n: number }>(queries, sql('SELECT COUNT(*) AS n FROM alarm_devices'))
  return Number(counted?.n)
}

export async function renameAlarmDevice(queries: Queries, { device_id, name, plate }: NamedDevice): Promise<void> {
  await queries.query('UPDATE alarm_devices SET name = ?, plate = ?, words = ? WHERE device_id = ?', [
    name,
    plate,
    deviceSearchText(device_id, name, plate),
    device_id,
  ])
}

/** Their name and plate; a device that is not registered any more has neither. */
async function namesOf(queries: Queries, deviceIds: readonly DeviceId[]): Promise<NamedDevice[]> {
  const { text, values } = isOneOf('device_id', deviceIds)
  const rows = await runSql<NamedDevice>(
    queries,
    sql(`SELECT device_id, name, plate FROM devices WHERE ${text}`, ...values),
  )
  const byId = new Map(rows.map((row) => [row.device_id, row]))
  return deviceIds.map((deviceId) => byId.get(deviceId) ?? { device_id: deviceId, name: null, plate: null })
}
