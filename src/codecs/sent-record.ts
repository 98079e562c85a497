/** An element as it goes over the wire. */
export interface SentElement {
  readonly id: number
  readonly raw: Uint8Array
}

/** What a tracker sends of one moment, in canonical units; an encoder rounds to what its format can hold. */
export interface SentRecord {
  readonly timeMs: number
  readonly latitude: number
  readonly longitude: number
  readonly altitudeM: number
  readonly speedKmh: number
  readonly headingDeg: number
  /** 0: no current fix, and the place is the last one known. */
  readonly satellites: number
  /** The element that caused the record; 0: none did. */
  readonly eventId: number
  readonly elements: readonly SentElement[]
}
