/** A JSON object of which nothing is known yet. */
export type Fields = Readonly<Record<string, unknown>>

/** Sockets also bring binary values, which are objects but no JSON. */
export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value)
}

/** Whether it is a number from `min` to `max`, both included. */
export function isWithin(value: unknown, min: number, max: number): value is number {
  return typeof value === 'number' && value >= min && value <= max
}
