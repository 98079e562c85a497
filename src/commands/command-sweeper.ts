import type { DeviceId } from '../model/device-id.js'
import type { Sessions } from '../sessions/sessions.js'
import type { CommandRecords } from '../storage/sql/command-records.js'
import type { DeviceRecords } from '../storage/sql/device-records.js'
import type { CommandChanges } from './command-changes.js'
import { cancel, lapse } from './command-life.js'
import { UnfinishedWork } from './unfinished-work.js'

const AT_ONCE = 500
/** Why commands of a device that left the registry are cancelled. */
const DEVICE_DELETED = 'device_deleted'

/** Ends what only time ends, and what lost its device. */
export class CommandSweeper {
  private readonly unfinished: UnfinishedWork
  private isSweeping = false
  private isStopped = false

  constructor(
    private readonly records: CommandRecords,
    private readonly changes: CommandChanges,
    private readonly devices: DeviceRecords,
    private readonly sessions: Sessions,
    private readonly now: () => number = Date.now,
  ) {
    this.unfinished = new UnfinishedWork(now)
  }

  /** Ends at once what became due while nobody looked. */
  async start(): Promise<void> {
    this.sessions.onForgotten((deviceId) => {
      const goneAtMs = this.now()
      void this.unfinished.finish(`forget ${deviceId}`, () => this.cancelOpen(deviceId, goneAtMs))
    })
    await this.unfinished.finish('orphans', () => this.cancelOrphans(this.now()))
    await this.sweepNow()
  }

  /** Cancels all open commands of a device that is about to be erased. @throws AppError `store_unavailable` | `overloaded` */
  async handleErasing(deviceId: DeviceId): Promise<void> {
    await this.cancelOpen(deviceId, this.now(), true)
  }

  /** Call it every second. */
  tick(): void {
    this.unfinished.tick()
    if (!this.isSweeping) void this.sweepNow()
  }

  stop(): void {
    this.isStopped = true
    this.unfinished.stop()
  }

  /** A failed one needs no other retry than the next tick. */
  private sweepNow(): Promise<void> {
    return this.unfinished.finish(
      'sweep',
      () => this.sweep(),
      () => undefined,
    )
  }

  private async sweep(): Promise<void> {
    this.isSweeping = true
    try {
      for (;;) {
        const due = await this.records.listDue(this.now(), AT_ONCE)
        for (const command of due) {
          if (this.isStopped) return
          await this.changes.tryApply(command, lapse)
        }
        if (due.length < AT_ONCE) return
      }
    } finally {
      this.isSweeping = false
    }
  }

  /** A process that ended between the removal of a device and that of its commands left them. */
  private async cancelOrphans(goneAtMs: number): Promise<void> {
    const waiting = await this.records.listWaitingDevices()
    for (let at = 0; at < waiting.length; at += AT_ONCE) {
      const among = waiting.slice(at, at + AT_ONCE)
      const there = new Set((await this.devices.list({ among, limit: AT_ONCE })).map(({ deviceId }) => deviceId))
      for (const deviceId of among) if (!there.has(deviceId)) await this.cancelOpen(deviceId, goneAtMs)
    }
  }

  /** @param goneAtMs newer commands are of a device that was added again */
  private async cancelOpen(deviceId: DeviceId, goneAtMs: number, makesRoom = false): Promise<void> {
    for (;;) {
      const open = (await this.records.listOpen(deviceId, AT_ONCE)).filter((one) => one.createdAtMs <= goneAtMs)
      if (open.length === 0) return
      for (const { id } of open) {
        await this.changes.apply(id, (command, nowMs) => cancel(command, DEVICE_DELETED, nowMs), { makesRoom })
      }
    }
  }
}
