/** The bytes of a request, as they come. */
export interface UploadBody {
  /** Throws when the client goes away before the end. */
  readonly bytes: AsyncIterable<Uint8Array>
  /** The client went away, or was cut. */
  readonly isCut: boolean
  /** Ends the connection, so that the bytes break off. */
  cut(): void
}
