import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Logger } from '@nestjs/common'
import { ConfigError } from '../config/app-config.js'
import { KeyDirectory } from './key-directory.js'
import { EnvironmentKeys } from './key-source.js'
import { generateSigningJwk } from './signing-key.js'
import { SigningKeys } from './signing-keys.js'

describe('SigningKeys', () => {
  beforeAll(() => Logger.overrideLogger(false))

  let directory: string
  let keys: SigningKeys | undefined

  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'milepost-keys-'))
  })

  afterEach(async () => {
    keys?.onModuleDestroy()
    await rm(directory, { recursive: true, force: true })
  })

  const openDirectory = () => new KeyDirectory(directory, 1000)

  it('signs with a rotated key within seconds, without a restart', async () => {
    keys = await SigningKeys.open(openDirectory())
    const before = keys.current.kid
    keys.watch()
    const [rotated] = await openDirectory().rotate()
    await new Promise((resolve) => setTimeout(resolve, 3000))
    expect(keys.current.kid).toBe(rotated?.kid)
    expect(keys.find(before)?.kid).toBe(before)
    expect(keys.publicSet().keys.map(({ kid }) => kid)).toEqual([rotated?.kid, before])
  })

  it('keeps its keys while the directory cannot be read', async () => {
    keys = await SigningKeys.open(openDirectory())
    const { kid } = keys.current
    await rm(directory, { recursive: true })
    await keys.refresh()
    expect(keys.current.kid).toBe(kid)
  })

  it('takes keys from the environment: the first signs, all verify, nothing is written', async () => {
    const jwks = [await generateSigningJwk(), await generateSigningJwk()]
    keys = await SigningKeys.open(new EnvironmentKeys(JSON.stringify({ keys: jwks })))
    expect(keys.current.kid).toBe(jwks[0]?.kid)
    expect(keys.publicSet().keys.map(({ kid }) => kid)).toEqual(jwks.map(({ kid }) => kid))
    expect(keys.publicSet().keys.every((key) => !('d' in key))).toBe(true)
    expect(await readdir(directory)).toEqual([])
  })

  it('names a key without kid by its thumbprint', async () => {
    const { kid, ...jwk } = await generateSigningJwk()
    keys = await SigningKeys.open(new EnvironmentKeys(JSON.stringify({ keys: [jwk] })))
    expect(keys.current.kid).toBe(kid)
  })

  it('refuses keys of the environment that cannot be used, naming the variable', async () => {
    const [one, other] = [await generateSigningJwk(), await generateSigningJwk()]
    const mixed = { ...one, x: other.x, y: other.y }
    const opening = SigningKeys.open(new EnvironmentKeys(JSON.stringify({ keys: [mixed] })))
    await expect(opening).rejects.toThrow(ConfigError)
    await expect(opening).rejects.toThrow('SIGNING_KEYS')
  })

  it('refuses two keys of one name', async () => {
    const one = await generateSigningJwk()
    const other = { ...(await generateSigningJwk()), kid: one.kid }
    await expect(SigningKeys.open(new EnvironmentKeys(JSON.stringify({ keys: [one, other] })))).rejects.toThrow(
      'two keys have one kid',
    )
  })
})
