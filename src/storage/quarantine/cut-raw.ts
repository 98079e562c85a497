const CONTINUATION = 0b1000_0000
const CONTINUATION_MASK = 0b1100_0000

/** The text as UTF-8, cut between two characters to at most so many bytes. */
export function cutRaw(text: string, mostBytes: number): Buffer {
  const bytes = Buffer.from(text)
  if (bytes.length <= mostBytes) return bytes
  let end = mostBytes
  while (end > 0 && ((bytes[end] ?? 0) & CONTINUATION_MASK) === CONTINUATION) end--
  return bytes.subarray(0, end)
}
