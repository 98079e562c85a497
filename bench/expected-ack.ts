/** Whether an acknowledgement is as it must be: its frame, and where the JSON array of the answer begins in it. */
export type IsExpected = (frame: Buffer, bodyAt: number) => boolean

/** The answer must be this text. */
export function exactly(text: string): IsExpected {
  const expected = Buffer.from(text)
  return (frame, bodyAt) => expected.compare(frame, bodyAt) === 0
}

/** The answer must begin and end so; what lies between is the server's to choose. */
export function between(head: string, tail: string): IsExpected {
  const first = Buffer.from(head)
  const last = Buffer.from(tail)
  return (frame, bodyAt) =>
    frame.length - bodyAt >= first.length + last.length &&
    first.compare(frame, bodyAt, bodyAt + first.length) === 0 &&
    last.compare(frame, frame.length - last.length) === 0
}
