const CODE_PAGE = new TextDecoder('windows-1251')
/** Every printable character of the code page, and its byte. */
const BYTES = new Map(
  Array.from({ length: 256 }, (_, byte) => byte)
    .filter((byte) => byte >= 0x20 && byte !== 0x7f && byte !== 0x98)
    .map((byte) => [CODE_PAGE.decode(Uint8Array.of(byte)), byte]),
)

/** Text as units write it: code page 1251. */
export function decodeCyrillic(bytes: Uint8Array): string {
  return CODE_PAGE.decode(bytes)
}

/** @returns one byte for each character; undefined: it has characters that the code page has not */
export function encodeCyrillic(text: string): Buffer | undefined {
  const bytes = Array.from(text, (character) => BYTES.get(character))
  return bytes.every((byte) => byte !== undefined) ? Buffer.from(bytes) : undefined
}
