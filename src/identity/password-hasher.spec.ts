import { PasswordHasher } from './password-hasher.js'

describe('PasswordHasher', () => {
  it('makes argon2id hashes that their own password matches', async () => {
    const hasher = await PasswordHasher.create()
    const hash = await hasher.hash('correct horse battery')
    expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
    expect(await hasher.isPassword('correct horse battery', hash)).toBe(true)
    expect(await hasher.isPassword('correct horse batterie', hash)).toBe(false)
  })

  it('never matches where there is no user, not even the password of the stand-in', async () => {
    const hasher = await PasswordHasher.create()
    expect(await hasher.isPassword('no one has this password', undefined)).toBe(false)
  })

  it('lets two hash and 64 wait, answers the rest at once, and serves all that wait', async () => {
    const hasher = await PasswordHasher.create()
    const outcomes = await Promise.allSettled(Array.from({ length: 70 }, () => hasher.isPassword('guess', undefined)))
    const refused = outcomes.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[]
    expect(refused).toHaveLength(4)
    expect(refused[0]?.reason).toMatchObject({ code: 'overloaded', retryAfterMs: 2000 })
    expect(await hasher.isPassword('guess', undefined)).toBe(false)
  })
})
