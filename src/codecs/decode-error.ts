/** What is wrong with bytes that a tracker sent. */
export type DecodeErrorCode =
  | 'bad_checksum'
  | 'bad_length'
  | 'bad_structure'
  | 'count_mismatch'
  | 'bad_identity'
  | 'unknown_format'
  | 'too_large'

/** Bytes that are no message of the protocol. A codec throws nothing else, whatever it is given. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError'

  constructor(
    readonly code: DecodeErrorCode,
    message: string,
  ) {
    super(message)
  }
}

/** @returns what it gives, or the error that it throws; anything else that is thrown is a mistake of ours and goes on */
export function orDecodeError<T>(decode: () => T): T | DecodeError {
  try {
    return decode()
  } catch (error) {
    if (error instanceof DecodeError) return error
    throw error
  }
}
