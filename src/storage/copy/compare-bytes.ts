/** Order of two texts by the bytes of their UTF-8, which is how the stores order them; that of JavaScript goes by UTF-16. */
export function compareBytes(a: string, b: string): number {
  if (a === b) return 0
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
