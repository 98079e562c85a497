import { freePort } from './free-port.js'

/** No trackers are listened for: many servers run at the same time. Who tests trackers has them listened for on a free port. */
export const NO_TRACKER_PORTS = {
  TRACKER_TELTONIKA_PORT: '0',
  TRACKER_QUECLINK_PORT: '0',
  TRACKER_RUPTELA_PORT: '0',
  TRACKER_GALILEOSKY_PORT: '0',
} as const

/** Those of each brand, free a moment ago, as a server in a process of its own is told them. */
export async function freeTrackerPorts(): Promise<Readonly<Record<keyof typeof NO_TRACKER_PORTS, string>>> {
  const ports = { ...NO_TRACKER_PORTS } as Record<keyof typeof NO_TRACKER_PORTS, string>
  const taken = new Set<number>()
  for (const name of Object.keys(ports) as Array<keyof typeof NO_TRACKER_PORTS>) {
    let port = await freePort()
    while (taken.has(port)) port = await freePort()
    taken.add(port)
    ports[name] = String(port)
  }
  return ports
}
