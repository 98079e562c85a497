import type { AppConfig } from './app-config.js'

type PortVariable = 'PORT' | `TRACKER_${'TELTONIKA' | 'QUECLINK' | 'RUPTELA' | 'GALILEOSKY'}_PORT`

/** What listens on the ports that are configured. */
const USES: Readonly<Record<PortVariable, string>> = {
  PORT: 'HTTP and sockets',
  TRACKER_TELTONIKA_PORT: 'Teltonika trackers',
  TRACKER_QUECLINK_PORT: 'Queclink trackers',
  TRACKER_RUPTELA_PORT: 'Ruptela trackers',
  TRACKER_GALILEOSKY_PORT: 'Galileosky trackers',
}

/** What a port is for and the variable to change, such as `port 5027 for Teltonika trackers (TRACKER_TELTONIKA_PORT)`. */
export function describePort(port: number | undefined, config: Pick<AppConfig, PortVariable> | undefined): string {
  if (port === undefined) return 'the port'
  const uses = Object.entries(USES).filter(([variable]) => config?.[variable as PortVariable] === port)
  const words = uses.map(([variable, use]) => `for ${use} (${variable})`)
  return [`port ${port}`, words.join(' and ')].filter(Boolean).join(' ')
}
