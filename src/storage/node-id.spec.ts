import { readFileSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import path from 'node:path'
import { removeTemporaryDirectories, temporaryDirectory } from '../../test/support/temporary-directory.js'
import { nodeIdOf } from './node-id.js'

describe('the id of a node', () => {
  afterAll(removeTemporaryDirectories)

  it('is the same at every start on one directory, and another on another', () => {
    const directory = temporaryDirectory()
    const id = nodeIdOf(directory)

    expect(id).toMatch(/^[0-9a-f-]{36}$/)
    expect(nodeIdOf(directory)).toBe(id)
    expect(nodeIdOf(temporaryDirectory())).not.toBe(id)
  })

  it('is a new one where the directory was copied to another machine, or the file was cut', () => {
    const directory = temporaryDirectory()
    const file = path.join(directory, 'milepost.node')
    const id = nodeIdOf(directory)
    writeFileSync(file, readFileSync(file, 'utf8').replace(hostname(), `not-${hostname()}`))
    const other = nodeIdOf(directory)
    expect(other).not.toBe(id)
    writeFileSync(file, other.slice(0, 9))

    expect(nodeIdOf(directory)).not.toBe(other)
    expect(nodeIdOf(directory)).toHaveLength(36)
  })
})
