import { generateDeviceSecret, hashDeviceSecret, isDeviceSecret, newGeneration } from './device-secrets.js'

describe('device secrets', () => {
  it('are 32 random characters', () => {
    expect(generateDeviceSecret()).toMatch(/^[A-Za-z0-9_-]{32}$/)
    expect(generateDeviceSecret()).not.toBe(generateDeviceSecret())
  })

  it('are kept as SHA-256 in lower-case hex', () => {
    expect(hashDeviceSecret('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  })

  it('match their own hash only', () => {
    const hash = hashDeviceSecret('the secret of this box')
    expect(isDeviceSecret('the secret of this box', hash)).toBe(true)
    expect(isDeviceSecret('the secret of this boy', hash)).toBe(false)
    expect(isDeviceSecret('', hash)).toBe(false)
    expect(isDeviceSecret('the secret of this box', null)).toBe(false)
    expect(isDeviceSecret('the secret of this box', 'not a hash')).toBe(false)
  })

  it('belong to generations that never repeat', () => {
    expect(newGeneration()).toMatch(/^[A-Za-z0-9_-]{16}$/)
    expect(newGeneration()).not.toBe(newGeneration())
  })
})
