import { EntitySchema } from 'typeorm'
import { textColumn, timeColumn } from './columns.js'

/** A refresh token of a session, which it lives and ends with. Used ones are kept: a second use tells of a theft. */
export interface RefreshTokenRow {
  /** SHA-256 hex. */
  readonly tokenHash: string
  readonly sessionId: string
  /** null: not exchanged yet. */
  readonly usedAtMs: number | null
}

export const RefreshTokenEntity = new EntitySchema<RefreshTokenRow>({
  name: 'RefreshToken',
  tableName: 'refresh_tokens',
  columns: {
    tokenHash: textColumn('token_hash', { primary: true }),
    sessionId: textColumn('session_id'),
    usedAtMs: timeColumn('used_at', { nullable: true }),
  },
})
