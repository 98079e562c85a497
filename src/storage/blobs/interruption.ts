/** Ends a wait for a source from outside, however long the source would let it wait. */
export class Interruption {
  private error: Error | undefined
  private rejectWait: ((error: Error) => void) | undefined

  interrupt(error: Error): void {
    this.error ??= error
    this.rejectWait?.(error)
  }

  /** @throws the interruption's error, at once, also during the wait */
  wait<T>(promise: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.error) reject(this.error)
      this.rejectWait = reject
      promise.then(resolve, reject)
    })
  }
}
