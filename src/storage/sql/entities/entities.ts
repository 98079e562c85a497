import { AlarmChangeEntity } from './alarm-change-entity.js'
import { AlarmEntity } from './alarm-entity.js'
import { AlarmFileEntity } from './alarm-file-entity.js'
import { AlarmBlockEntity, AlarmDeviceEntity, AlarmWordEntity } from './alarm-search-entities.js'
import { AuditEntity } from './audit-entity.js'
import { CommandEntity } from './command-entity.js'
import { DeviceAddressEntity } from './device-address-entity.js'
import { DeviceEntity } from './device-entity.js'
import { DirectUploadEntity } from './direct-upload-entity.js'
import { ErasureEntity } from './erasure-entity.js'
import { IdempotencyEntity } from './idempotency-entity.js'
import { RefreshTokenEntity } from './refresh-token-entity.js'
import { UploadEntity } from './upload-entity.js'
import { UserEntity } from './user-entity.js'
import { UserSessionEntity } from './user-session-entity.js'
import { VideoEntity } from './video-entity.js'

/** Every table of the relational database. */
export const ENTITIES = [
  DeviceEntity,
  DeviceAddressEntity,
  UserEntity,
  UserSessionEntity,
  RefreshTokenEntity,
  AuditEntity,
  IdempotencyEntity,
  AlarmEntity,
  AlarmFileEntity,
  AlarmChangeEntity,
  AlarmBlockEntity,
  AlarmWordEntity,
  AlarmDeviceEntity,
  VideoEntity,
  UploadEntity,
  DirectUploadEntity,
  CommandEntity,
  ErasureEntity,
]
