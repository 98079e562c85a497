import { setTimeout as sleep } from 'node:timers/promises'

/** Longer than any refusal takes while the stores are well. */
const STEP_MS = 200

/**
 * Makes refused logins take one and the same time. Whether an id is known shows in how long the work took: a database read
 * here, a value from memory there, a hash compared or not. So a refusal does the same work in every case, and then is answered
 * at a fixed moment after the request came in: at the first full step that has not passed yet, so that not even a slow store
 * tells more than the number of steps.
 */
export class RefusalPace {
  constructor(private readonly stepMs: number = STEP_MS) {}

  /** Waits for the moment to answer a refusal. @param arrivedAtMs by `performance.now()` */
  async keep(arrivedAtMs: number): Promise<void> {
    const passedMs = performance.now() - arrivedAtMs
    const steps = Math.max(1, Math.ceil(passedMs / this.stepMs))
    await sleep(Math.ceil(steps * this.stepMs - passedMs))
  }
}
