import type { EntityManager } from 'typeorm'
import { datetimeOf } from './datetime.js'
import { RefreshTokenEntity } from './entities/refresh-token-entity.js'
import { UserEntity } from './entities/user-entity.js'
import { UserSessionEntity } from './entities/user-session-entity.js'
import { lockRows } from './row-lock.js'
import { isDuplicateKey, isMissingReference } from './sql-errors.js'
import type { SqlSource } from './sql-source.js'
import { type UserQuery, type UserRecord, UserRecords, type UserSessionRecord } from './user-records.js'

type UserChanges = Partial<Pick<UserRecord, 'passwordHash' | 'role' | 'disabled'>>

/** Removed at once with all their refresh tokens, so that nobody waits long for the write lock. */
const SESSIONS_REMOVED_AT_ONCE = 20

/** Users and their sessions in the relational database. */
export class TypeormUserRecords extends UserRecords {
  constructor(private readonly source: SqlSource) {
    super()
  }

  /** The same users, read and written in a transaction. */
  within(transaction: SqlSource): TypeormUserRecords {
    return new TypeormUserRecords(transaction)
  }

  async find(username: string): Promise<UserRecord | undefined> {
    return (await this.source.getRepository(UserEntity).findOneBy({ username })) ?? undefined
  }

  async list({ afterUsername, limit }: UserQuery): Promise<UserRecord[]> {
    return this.source
      .createQueryBuilder(UserEntity, 'user')
      .where('user.username > :after', { after: afterUsername ?? '' })
      .orderBy('user.username')
      .limit(limit)
      .getMany()
  }

  async count(): Promise<number> {
    return this.source.getRepository(UserEntity).count()
  }

  async insert(record: UserRecord): Promise<boolean> {
    try {
      await this.source.createQueryBuilder().insert().into(UserEntity).values(record).updateEntity(false).execute()
      return true
    } catch (error) {
      if (isDuplicateKey(error)) return false
      throw error
    }
  }

  async update(username: string, changes: UserChanges): Promise<UserRecord | undefined | 'last_admin'> {
    return this.source.transaction(async (manager) => {
      const isOnlyAdmin = await isOnlyEnabledAdmin(manager, username)
      const query = manager.createQueryBuilder(UserEntity, 'user').where('user.username = :username', { username })
      const before = await lockRows(query).getOne()
      if (!before) return undefined
      const { passwordHash = before.passwordHash, role = before.role, disabled = before.disabled } = changes
      const after: UserRecord = { ...before, passwordHash, role, disabled }
      if (isOnlyAdmin && !isEnabledAdmin(after)) return 'last_admin'
      await manager
        .createQueryBuilder()
        .update(UserEntity)
        .set({ passwordHash, role, disabled })
        .where('username = :username', { username })
        .execute()
      return after
    })
  }

  async replacePassword(username: string, { before, after }: { before: string; after: string }): Promise<boolean> {
    const { affected } = await this.source
      .createQueryBuilder()
      .update(UserEntity)
      .set({ passwordHash: after })
      .where('username = :username AND passwordHash = :before', { username, before })
      .execute()
    return affected === 1
  }

  async delete(username: string): Promise<boolean | 'last_admin'> {
    return this.source.transaction(async (manager) => {
      if (await isOnlyEnabledAdmin(manager, username)) return 'last_admin'
      // Sessions and their tokens go with the user by their foreign keys.
      const { affected } = await manager
        .createQueryBuilder()
        .delete()
        .from(UserEntity)
        .where('username = :username', { username })
        .execute()
      return affected === 1
    })
  }

  async insertSession(session: UserSessionRecord, refreshHash: string): Promise<boolean> {
    try {
      await this.source.transaction(async (manager) => {
        const query = manager.createQueryBuilder().insert().into(UserSessionEntity)
        await query.values(session).updateEntity(false).execute()
        await insertToken(manager, refreshHash, session.sessionId)
      })
      return true
    } catch (error) {
      if (isMissingReference(error)) return false
      throw error
    }
  }

  async findSession(sessionId: string): Promise<UserSessionRecord | undefined> {
    return (await this.source.getRepository(UserSessionEntity).findOneBy({ sessionId })) ?? undefined
  }

  async rotateRefresh(
    refreshHash: string,
    nextRefreshHash: string,
    atMs: number,
  ): Promise<UserSessionRecord | 'reused' | undefined> {
    return this.source.transaction(async (manager) => {
      // The one condition that only one of several at once can meet.
      const { affected } = await manager
        .createQueryBuilder()
        .update(RefreshTokenEntity)
        .set({ usedAtMs: atMs })
        .where('tokenHash = :refreshHash AND usedAtMs IS NULL', { refreshHash })
        .execute()
      const token = await manager.findOneBy(RefreshTokenEntity, { tokenHash: refreshHash })
      if (!token) return undefined
      const session = await manager.findOneBy(UserSessionEntity, { sessionId: token.sessionId })
      if (!session || session.endedAtMs !== null || session.expiresAtMs <= atMs) return undefined
      if (affected !== 1) {
        await endSessions(manager, [session.sessionId], atMs)
        return 'reused'
      }
      await insertToken(manager, nextRefreshHash, session.sessionId)
      return session
    })
  }

  async endSession(sessionId: string, atMs: number): Promise<void> {
    await endSessions(this.source, [sessionId], atMs)
  }

  async endSessionsOf(username: string, atMs: number, exceptSessionId?: string): Promise<string[]> {
    return this.source.transaction(async (manager) => {
      const living = manager
        .createQueryBuilder(UserSessionEntity, 'session')
        .where('session.username = :username AND session.endedAtMs IS NULL', { username })
        .andWhere('session.sessionId <> :except', { except: exceptSessionId ?? '' })
      const ids = (await lockRows(living).getMany()).map(({ sessionId }) => sessionId)
      if (ids.length > 0) await endSessions(manager, ids, atMs)
      return ids
    })
  }

  async removeSessions(beforeMs: number): Promise<number> {
    const expired = await this.removeSessionsBy('expiresAtMs', beforeMs)
    return expired + (await this.removeSessionsBy('endedAtMs', beforeMs))
  }

  private async removeSessionsBy(time: 'expiresAtMs' | 'endedAtMs', beforeMs: number): Promise<number> {
    let removed = 0
    for (;;) {
      const old = await this.source
        .createQueryBuilder(UserSessionEntity, 'session')
        .where(`session.${time} < :before`, { before: datetimeOf(beforeMs) })
        .limit(SESSIONS_REMOVED_AT_ONCE)
        .getMany()
      if (old.length === 0) return removed
      const ids = old.map(({ sessionId }) => sessionId)
      await this.source
        .createQueryBuilder()
        .delete()
        .from(UserSessionEntity)
        .where('sessionId IN (:...ids)', { ids })
        .execute()
      removed += ids.length
    }
  }
}

function isEnabledAdmin({ role, disabled }: UserRecord): boolean {
  return role === 'admin' && !disabled
}

/** Also keeps all enabled admins as they are until the transaction ends. */
async function isOnlyEnabledAdmin(manager: EntityManager, username: string): Promise<boolean> {
  const query = manager
    .createQueryBuilder(UserEntity, 'user')
    .where('user.role = :role AND user.disabled = :disabled', { role: 'admin', disabled: false })
    .orderBy('user.username')
  const admins = await lockRows(query).getMany()
  return admins.length === 1 && admins[0]?.username === username
}

async function insertToken(manager: EntityManager, tokenHash: string, sessionId: string): Promise<void> {
  const token = { tokenHash, sessionId, usedAtMs: null }
  await manager.createQueryBuilder().insert().into(RefreshTokenEntity).values(token).updateEntity(false).execute()
}

async function endSessions(manager: SqlSource, ids: readonly string[], atMs: number): Promise<void> {
  await manager
    .createQueryBuilder()
    .update(UserSessionEntity)
    .set({ endedAtMs: atMs })
    .where('sessionId IN (:...ids) AND endedAtMs IS NULL', { ids })
    .execute()
}
