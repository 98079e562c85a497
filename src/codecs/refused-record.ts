import type { TrackerRecord } from './tracker-codec.js'

/**
 * What of a frame can never be stored, though the frame is whole: it is counted, and its bytes are kept, before the frame is answered.
 * @param message what is wrong with it, for a person
 */
export function refusedRecord(message: string, span: TrackerRecord['span']): TrackerRecord {
  return {
    timeMs: Number.NaN,
    discriminator: 0,
    hasFix: false,
    latitude: null,
    longitude: null,
    altitudeM: null,
    speedKmh: null,
    headingDeg: null,
    accuracyM: null,
    satellites: null,
    attributes: null,
    alarm: null,
    refusal: { code: 'invalid_field', message },
    span,
  }
}
