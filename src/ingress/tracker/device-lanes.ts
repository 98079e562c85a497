type Task = () => Promise<void>

/** One task after the other for each device, in their order; devices do not wait for each other. */
export class DeviceLanes {
  private readonly lanes = new Map<string, Task[]>()
  private idle: Array<() => void> = []

  /** @param mostWaiting tasks of one device behind the one under way */
  constructor(private readonly mostWaiting: number) {}

  /** @param task must not reject. @returns false: too many wait, and it is not done */
  enter(deviceId: string, task: Task): boolean {
    const lane = this.lanes.get(deviceId)
    if (lane === undefined) {
      const waiting: Task[] = []
      this.lanes.set(deviceId, waiting)
      void this.run(deviceId, task, waiting)
      return true
    }
    if (lane.length >= this.mostWaiting) return false
    lane.push(task)
    return true
  }

  /** Resolves when nothing is under way. */
  drained(): Promise<void> {
    return this.lanes.size === 0 ? Promise.resolve() : new Promise((resolve) => this.idle.push(resolve))
  }

  private async run(deviceId: string, first: Task, waiting: Task[]): Promise<void> {
    for (let task: Task | undefined = first; task !== undefined; task = waiting.shift()) await task()
    this.lanes.delete(deviceId)
    if (this.lanes.size === 0) for (const resolve of this.idle.splice(0)) resolve()
  }
}
