/** Brands of trackers, as the command line and the server's fleet list name them. */
export const TRACKER_PROTOCOLS = ['teltonika', 'queclink', 'ruptela', 'galileosky'] as const
export type TrackerProtocol = (typeof TRACKER_PROTOCOLS)[number]

/** How a truck's tracker reaches the server. */
export interface TrackerOptions {
  readonly protocol: TrackerProtocol
  /** `udp` is of Teltonika alone. */
  readonly transport: 'tcp' | 'udp'
  /** Of the server's listener for the brand; its host is that of the server. */
  readonly port: number
  /** Queclink: every report waits for its answer, as `trackerSack` of the device has the server give it. */
  readonly sack: boolean
}

/** The customary ports, which a server has unless it is told otherwise. */
export const TRACKER_PORTS: Readonly<Record<TrackerProtocol, number>> = {
  teltonika: 5027,
  queclink: 5004,
  ruptela: 5046,
  galileosky: 5034,
}
