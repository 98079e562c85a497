import type { FleetOptions } from '../../simulator/fleet-options.js'

/** One truck that drives as fast as it can and has no alarms, no clips and no trouble. */
export function fleetOptions(changes: Partial<FleetOptions> & Pick<FleetOptions, 'origin'>): FleetOptions {
  return {
    trucks: 1,
    imeiBase: '00990000',
    speedup: 0,
    rebase: false,
    isLive: false,
    batch: 100,
    inFlight: 4,
    ackTimeoutMs: 15_000,
    dropAcks: 0,
    disconnectEveryMs: 0,
    duplicate: false,
    shuffleWindow: 0,
    clockSkewMs: 0,
    alarmsPerHour: 0,
    alarmBurst: 0,
    clipShare: 0,
    resetMs: 100,
    seed: 'test',
    usesSecrets: false,
    ...changes,
  }
}
