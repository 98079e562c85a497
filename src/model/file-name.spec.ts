import { parseFileName } from './file-name.js'

describe('a name of a file', () => {
  it.each([
    'clip.mp4',
    'Ärger 1.mp4',
    '事故.mp4',
    'حادث.mp4',
    '.hidden',
    '...',
    ' a ',
    'a'.repeat(200),
    'CON',
    'می\u200Cخواهم.mp4', // a Persian word with a joiner
    '\u{1F469}\u200D\u{1F692}.mp4', // joined emoji
    '\u2764\uFE0F.mp4',
    'a:b?.mp4',
  ])('is taken as it is: %j', (name) => expect(parseFileName(name)).toBe(name))

  it('is brought to NFC', () => expect(parseFileName('A\u0308.mp4')).toBe('\u00c4.mp4'))

  it.each([
    '',
    ' ',
    '\u00A0\u3000 ',
    '.',
    '..',
    '\u2025', // two dot leader, .. in NFKC
    '\u2024',
    'a/b',
    'a\\b',
    '/etc/passwd',
    '..\\x',
    'a\uff0fb', // full-width solidus
    'a\uff3cb', // full-width reverse solidus
    'c\u2100.mp4', // ℀, a/c in NFKC
    'a\u0000b',
    'a\nb',
    'a\u007fb',
    'a\u0085b',
    'gpj.\u202e4pm',
    '\u2066a\u2069',
    '\u200fa',
    'a\u2028b',
    'a\u2029b',
    'a\u00adb',
    'a\u200bb',
    'a\u2060b',
    'a\u2064b',
    '\ufeffa',
    'a\ufff9b',
    '\ud800',
    'é'.repeat(101),
    'a'.repeat(201),
  ])('is refused: %j', (name) => expect(parseFileName(name)).toBeUndefined())
})
