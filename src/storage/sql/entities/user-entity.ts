import { EntitySchema } from 'typeorm'
import type { UserRecord } from '../user-records.js'
import { flagColumn, textColumn, timeColumn } from './columns.js'

export const UserEntity = new EntitySchema<UserRecord>({
  name: 'User',
  tableName: 'users',
  columns: {
    username: textColumn('username', { primary: true }),
    passwordHash: textColumn('password_hash'),
    role: textColumn('role'),
    disabled: flagColumn('disabled'),
    createdAtMs: timeColumn('created_at'),
  },
})
