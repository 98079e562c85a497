import type { EntityManager } from 'typeorm'

/** What records are read and written through: a data source, or the manager of a transaction, which then holds their own ones too. */
export type SqlSource = Pick<EntityManager, 'transaction' | 'createQueryBuilder' | 'getRepository' | 'query'>
