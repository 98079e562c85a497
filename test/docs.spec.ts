import { readFileSync } from 'node:fs'
import { ERROR_CATALOGUE } from '../src/model/app-error.js'

describe('docs/errors.md', () => {
  it('lists every code of the catalogue with its status and title, and no other', () => {
    const rows = [...readFileSync('docs/errors.md', 'utf8').matchAll(/^\| `([a-z_]+)` \| (\d{3}) \| ([^|]+) \|/gm)]
    const listed = rows.map(([, code, status, title]) => [code, Number(status), title?.trim()])
    const catalogue = Object.entries(ERROR_CATALOGUE).map(([code, { status, title }]) => [code, status, title])
    expect(listed).toEqual(catalogue)
  })
})
