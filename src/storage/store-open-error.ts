/** A store that cannot be opened: one clear line, naming the file or server and the reason. The process ends with {@link StoreOpenError.exitCode}. */
export class StoreOpenError extends Error {
  override readonly name = 'StoreOpenError'
  /** EX_UNAVAILABLE of sysexits.h. */
  readonly exitCode = 69

  /**
   * @param store what was to be opened, such as the path of its file
   * @param reason in words, without a full stop
   */
  constructor(
    readonly store: string,
    readonly reason: string,
    options: { readonly cause?: unknown } = {},
  ) {
    super(`cannot open ${store}: ${reason}`, options)
  }
}
