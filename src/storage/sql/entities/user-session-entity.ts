import { EntitySchema } from 'typeorm'
import type { UserSessionRecord } from '../user-records.js'
import { textColumn, timeColumn } from './columns.js'

export const UserSessionEntity = new EntitySchema<UserSessionRecord>({
  name: 'UserSession',
  tableName: 'user_sessions',
  columns: {
    sessionId: textColumn('session_id', { primary: true }),
    username: textColumn('username'),
    createdAtMs: timeColumn('created_at'),
    expiresAtMs: timeColumn('expires_at'),
    endedAtMs: timeColumn('ended_at', { nullable: true }),
  },
})
