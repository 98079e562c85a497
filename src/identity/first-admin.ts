import { randomInt } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import { AppConfig } from '../config/app-config.js'
import { UserRecords } from '../storage/sql/user-records.js'
import { AuditLog } from './audit-log.js'
import { PasswordHasher } from './password-hasher.js'

export const FIRST_ADMIN = 'admin'
/** Nothing that reads alike: no 0 O o, 1 l I. */
const ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789'
const LENGTH = 20

/** A random password that can be read out and typed: 20 letters and digits, 116 bits. */
export function generatePassword(): string {
  return Array.from({ length: LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join('')
}

/** Sees to it that somebody can log in to a new system. */
@Injectable()
export class FirstAdmin {
  constructor(
    private readonly config: AppConfig,
    private readonly records: UserRecords,
    private readonly hasher: PasswordHasher,
    private readonly audit: AuditLog,
  ) {}

  /**
   * Creates the user `admin` if there are no users.
   * @returns the password, if it was made up here and so must be shown; undefined: nothing was made, or ADMIN_PASSWORD was taken
   */
  async ensure(): Promise<string | undefined> {
    if ((await this.records.count()) > 0) return undefined
    const generated = this.config.ADMIN_PASSWORD === undefined ? generatePassword() : undefined
    const passwordHash = await this.hasher.hash(generated ?? (this.config.ADMIN_PASSWORD as string))
    const admin = { username: FIRST_ADMIN, role: 'admin' as const }
    const isNew = await this.audit.change(
      ({ users }) => users.insert({ ...admin, passwordHash, disabled: false, createdAtMs: Date.now() }),
      (isInserted) =>
        isInserted
          ? { by: 'system', action: 'user.create', target: FIRST_ADMIN, detail: { role: 'admin' } }
          : undefined,
    )
    return isNew ? generated : undefined
  }
}
