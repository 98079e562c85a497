import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { AnswerVault } from './answer-vault.js'

describe('AnswerVault', () => {
  let directory: string

  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'milepost-vault-'))
  })

  afterEach(() => rm(directory, { recursive: true, force: true }))

  it('gives back what was sealed, also after a restart', async () => {
    const vault = await AnswerVault.open(directory)
    const scope = vault.scopeHash('anna', 'POST', '/api/v1/devices', 'key-1')
    const sealed = vault.seal({ secret: 'vJ3l0eGQH1bWq2s7m9c4k8x6' }, scope, 'key-1')
    const again = await AnswerVault.open(directory)
    expect(again.scopeHash('anna', 'POST', '/api/v1/devices', 'key-1')).toBe(scope)
    expect(again.unseal(sealed, scope, 'key-1')).toEqual({ secret: 'vJ3l0eGQH1bWq2s7m9c4k8x6' })
  })

  it('shows nothing of it, and never seals alike', async () => {
    const vault = await AnswerVault.open(directory)
    const scope = vault.scopeHash('anna')
    const sealed = vault.seal('vJ3l0eGQH1bWq2s7m9c4k8x6', scope, 'key-1')
    expect(Buffer.from(sealed, 'base64').includes('vJ3l0eGQ')).toBe(false)
    expect(vault.seal('vJ3l0eGQH1bWq2s7m9c4k8x6', scope, 'key-1')).not.toBe(sealed)
  })

  it('opens only with the same key, in the same scope, by the same server, unchanged', async () => {
    const vault = await AnswerVault.open(directory)
    const scope = vault.scopeHash('anna')
    const sealed = vault.seal('answer', scope, 'key-1')
    const bytes = Buffer.from(sealed, 'base64')
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
    expect(() => vault.unseal(sealed, scope, 'key-2')).toThrow()
    expect(() => vault.unseal(sealed, vault.scopeHash('bert'), 'key-1')).toThrow()
    expect(() => new AnswerVault(Buffer.alloc(32)).unseal(sealed, scope, 'key-1')).toThrow()
    expect(() => vault.unseal(bytes.toString('base64'), scope, 'key-1')).toThrow()
  })

  it('tells scopes apart whose parts run together', async () => {
    const vault = await AnswerVault.open(directory)
    expect(vault.scopeHash('ab', 'c')).not.toBe(vault.scopeHash('a', 'bc'))
  })

  it('keeps its secret readable by its owner only; of two that start at once both get the same', async () => {
    const [one, other] = await Promise.all([AnswerVault.open(directory), AnswerVault.open(directory)])
    expect(one.scopeHash('x')).toBe(other.scopeHash('x'))
    expect((await stat(path.join(directory, 'answers.secret'))).mode & 0o777).toBe(0o600)
  })

  it('refuses a secret file that is not whole', async () => {
    await writeFile(path.join(directory, 'answers.secret'), 'abcd')
    await expect(AnswerVault.open(directory)).rejects.toThrow('answers.secret is not 32 bytes in hexadecimal')
  })
})
