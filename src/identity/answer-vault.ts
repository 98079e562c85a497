import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'
import path from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { KeyDirectoryError, makeKeyDirectory, readOrCreatePrivateFile } from './key-file.js'

const ALGORITHM = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16
const SECRET_BYTES = 32
const SECRET_FILE = 'answers.secret'
const PURPOSE = 'milepost stored answer '

/**
 * Keeps answers that may hold a secret, such as a new device's, unreadable to whoever reads only the database: sealed with a key
 * made of this server's secret and the client's idempotency key, neither of which is stored with them.
 */
export class AnswerVault {
  constructor(private readonly secret: Buffer) {}

  /**
   * Opens the vault whose secret lies in the directory (0600), made on first use.
   * @throws KeyDirectoryError
   */
  static async open(directory: string): Promise<AnswerVault> {
    await makeKeyDirectory(directory)
    const file = path.join(directory, SECRET_FILE)
    const text = await readOrCreatePrivateFile(file, () => randomBytes(SECRET_BYTES).toString('hex'))
    const secret = Buffer.from(text.trim(), 'hex')
    if (secret.length !== SECRET_BYTES) throw new KeyDirectoryError(`${file} is not 32 bytes in hexadecimal`)
    return new AnswerVault(secret)
  }

  /** What a scope is stored under: a keyed hash, since idempotency keys may be short enough to guess. */
  scopeHash(...parts: readonly string[]): string {
    return createHmac('sha256', this.secret).update(JSON.stringify(parts)).digest('hex')
  }

  /** @param key the client's idempotency key */
  seal(answer: unknown, scopeHash: string, key: string): string {
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv(ALGORITHM, this.keyOf(scopeHash, key), nonce).setAAD(Buffer.from(scopeHash))
    const sealed = Buffer.concat([cipher.update(gzipSync(JSON.stringify(answer))), cipher.final()])
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64')
  }

  /** @throws Error when it was not sealed here with this key, or was changed since */
  unseal(text: string, scopeHash: string, key: string): unknown {
    const bytes = Buffer.from(text, 'base64')
    const nonce = bytes.subarray(0, NONCE_BYTES)
    const decipher = createDecipheriv(ALGORITHM, this.keyOf(scopeHash, key), nonce)
      .setAAD(Buffer.from(scopeHash))
      .setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
    const opened = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()])
    return JSON.parse(gunzipSync(opened).toString())
  }

  private keyOf(scopeHash: string, key: string): Buffer {
    return Buffer.from(hkdfSync('sha256', this.secret, Buffer.from(scopeHash, 'hex'), PURPOSE + key, SECRET_BYTES))
  }
}
