import { randomInt } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import { LRUCache } from 'lru-cache'
import type { DeviceId } from '../../model/device-id.js'

/** As many as there may be connections. */
const DEVICES = 20_000
/** Of one device; older ones are hardly answered any more. */
const COMMANDS = 16
const SERIALS = 0x10000

interface Sent {
  readonly key: string
  readonly commandId: string
  /** Infinity: the key is this command's alone. */
  readonly untilMs: number
}

interface OfDevice {
  serial: number
  sent: readonly Sent[]
}

/**
 * The numbers that commands to trackers go out with, and which command each was: so that an answer is known whenever it comes, and on
 * whichever connection. In memory: after a restart an old answer finds nothing.
 */
@Injectable()
export class SentCommands {
  private readonly devices = new LRUCache<DeviceId, OfDevice>({ max: DEVICES })

  /** @returns a number for the next command of the device, 0 ≤ n < 2^16 */
  nextSerial(deviceId: DeviceId): number {
    const device = this.of(deviceId)
    device.serial = (device.serial + 1) % SERIALS
    return device.serial
  }

  /** A command went out, and its answer will have this key and no other one. */
  noteNumbered(deviceId: DeviceId, key: string, commandId: string): void {
    this.note(deviceId, { key, commandId, untilMs: Number.POSITIVE_INFINITY })
  }

  /** The connection of a command without a number ended: until then the next answer with the key is its, on whichever connection. */
  noteCutOff(deviceId: DeviceId, key: string, commandId: string, untilMs: number): void {
    this.note(deviceId, { key, commandId, untilMs })
  }

  /**
   * Takes the command that an answer with this key is to. One that has a number stays, since its answer may be said again.
   * @returns undefined: none that is remembered
   */
  claim(deviceId: DeviceId, key: string): string | undefined {
    const device = this.devices.get(deviceId)
    const found = device?.sent.find((one) => one.key === key)
    if (device === undefined || found === undefined) return undefined
    if (found.untilMs === Number.POSITIVE_INFINITY) return found.commandId
    device.sent = device.sent.filter((one) => one !== found)
    return found.untilMs > Date.now() ? found.commandId : undefined
  }

  private note(deviceId: DeviceId, sent: Sent): void {
    const device = this.of(deviceId)
    const others = device.sent.filter(({ key }) => key !== sent.key)
    device.sent = [...others, sent].slice(-COMMANDS)
  }

  private of(deviceId: DeviceId): OfDevice {
    const known = this.devices.get(deviceId)
    if (known !== undefined) return known
    // Not from 0: an answer to a command of before a restart is not to be taken for one of now.
    const device = { serial: randomInt(SERIALS), sent: [] }
    this.devices.set(deviceId, device)
    return device
  }
}
