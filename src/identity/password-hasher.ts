import argon2 from 'argon2'
import { AppError } from '../model/app-error.js'

/** OWASP's second choice for argon2id: 19 MiB, two passes, one lane; about 25 ms. */
const PARAMETERS = { type: argon2.argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const
/** Of the four threads that Node has for files, keys and this: never all. */
const CONCURRENT = 2
const MAX_WAITING = 64
const RETRY_AFTER_MS = 2000

/** Hashes passwords with argon2id, a few at a time: logins may be slow when many come at once, but nothing else. */
export class PasswordHasher {
  private running = 0
  private readonly waiting: Array<() => void> = []

  private constructor(private readonly nobodysHash: string) {}

  static async create(): Promise<PasswordHasher> {
    return new PasswordHasher(await argon2.hash('no one has this password', PARAMETERS))
  }

  /** @throws AppError `overloaded` */
  hash(password: string): Promise<string> {
    return this.inTurn(() => argon2.hash(password, PARAMETERS))
  }

  /**
   * Whether it is the password; as much work when there is no user.
   * @param hash undefined: there is no such user
   * @throws AppError `overloaded`
   */
  async isPassword(password: string, hash: string | undefined): Promise<boolean> {
    const isRight = await this.inTurn(() => argon2.verify(hash ?? this.nobodysHash, password))
    return isRight && hash !== undefined
  }

  private async inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.running >= CONCURRENT) await this.turn()
    else this.running += 1
    try {
      return await work()
    } finally {
      const next = this.waiting.shift()
      // The place goes straight to the next in line, so that nobody new can slip in between.
      if (next === undefined) this.running -= 1
      else next()
    }
  }

  private turn(): Promise<void> {
    if (this.waiting.length >= MAX_WAITING) {
      throw new AppError('overloaded', 'Too many logins at once', { retryAfterMs: RETRY_AFTER_MS })
    }
    return new Promise((resolve) => {
      this.waiting.push(resolve)
    })
  }
}
