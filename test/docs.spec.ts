import { readFileSync } from 'node:fs'
import { IMPORT_CODES } from '../src/devices/device.schema.js'
import { ERROR_CATALOGUE } from '../src/model/app-error.js'
import { FIELD_CODES } from '../src/model/field-code.js'

describe('docs/errors.md', () => {
  it('lists every code of the catalogue with its status and title, and no other', () => {
    const rows = [...readFileSync('docs/errors.md', 'utf8').matchAll(/^\| `([a-z_]+)` \| (\d{3}) \| ([^|]+) \|/gm)]
    const listed = rows.map(([, code, status, title]) => [code, Number(status), title?.trim()])
    const catalogue = Object.entries(ERROR_CATALOGUE).map(([code, { status, title }]) => [code, status, title])
    expect(listed).toEqual(catalogue)
  })

  it.each([
    ['field', Object.keys(FIELD_CODES)],
    ['line', IMPORT_CODES],
  ])('lists every code of a %s, and no other', (what, codes) => {
    const text = readFileSync('docs/errors.md', 'utf8')
    const [, table = ''] = text.split(`| code of a ${what} | meaning |\n`)
    const [rows = ''] = table.split('\n\n')
    expect([...rows.matchAll(/^\| `([a-z_]+)` \| [^|]+ \|$/gm)].map(([, code]) => code)).toEqual(codes)
  })
})
