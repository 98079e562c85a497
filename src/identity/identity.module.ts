import { hostname } from 'node:os'
import path from 'node:path'
import { Global, Module, type Provider } from '@nestjs/common'
import { APP_GUARD, APP_INTERCEPTOR, DiscoveryModule } from '@nestjs/core'
import { AppConfig } from '../config/app-config.js'
import { Metrics } from '../metrics/metrics.js'
import { DeviceRecords } from '../storage/sql/device-records.js'
import { IdempotencyRecords } from '../storage/sql/idempotency-records.js'
import { UserRecords } from '../storage/sql/user-records.js'
import { AccessCheck, AccessGuard } from './access.guard.js'
import { AnswerVault } from './answer-vault.js'
import { AuditController } from './audit.controller.js'
import { AuditLog } from './audit-log.js'
import { DeviceAuthController } from './device-auth.controller.js'
import { DeviceDirectory } from './device-directory.js'
import { DeviceEnrolment } from './device-enrolment.js'
import { DeviceLearning } from './device-learning.js'
import { DeviceLogin } from './device-login.js'
import { ErasingDevices } from './erasing-devices.js'
import { FirstAdmin } from './first-admin.js'
import { IdempotencyInterceptor } from './idempotency.interceptor.js'
import { IdempotencyClaims } from './idempotency-claims.js'
import { JwksController } from './jwks.controller.js'
import { DeviceAddresses, UserAddresses } from './known-addresses.js'
import { DeviceGate, UserGate } from './login-gate.js'
import { LoginLimits } from './login-limits.js'
import { openKeySource } from './open-key-source.js'
import { PasswordHasher } from './password-hasher.js'
import { RefusalPace } from './refusal-pace.js'
import { SigningKeys } from './signing-keys.js'
import { TokenVerifier } from './token-verifier.js'
import { TokenIssuer } from './tokens.js'
import { TrackerDoor } from './tracker-door.js'
import { UserAuthController } from './user-auth.controller.js'
import { UserDoor } from './user-door.js'
import { UserLogin } from './user-login.js'
import { UserSessionDirectory } from './user-session-directory.js'
import { UsersController } from './users.controller.js'
import { Users } from './users.js'

const keys: Provider[] = [
  {
    provide: SigningKeys,
    inject: [AppConfig],
    useFactory: async (config: AppConfig) => {
      const signingKeys = await SigningKeys.open(openKeySource(config))
      signingKeys.watch()
      return signingKeys
    },
  },
  {
    provide: AnswerVault,
    inject: [AppConfig],
    useFactory: (config: AppConfig) => AnswerVault.open(path.join(config.DATA_DIR, 'keys')),
  },
  {
    provide: IdempotencyClaims,
    inject: [IdempotencyRecords, AnswerVault, AppConfig],
    useFactory: (records: IdempotencyRecords, vault: AnswerVault, { DATA_DIR }: AppConfig) => {
      // One server at a time has a data directory; a copy of its keys may be on another machine, or in another directory.
      const owner = vault.scopeHash('server', hostname(), path.resolve(DATA_DIR))
      return new IdempotencyClaims(records, owner)
    },
  },
  {
    provide: TokenIssuer,
    inject: [SigningKeys, AppConfig],
    useFactory: (signingKeys: SigningKeys, config: AppConfig) =>
      new TokenIssuer(signingKeys, { deviceS: config.DEVICE_TOKEN_TTL_S, userS: config.USER_TOKEN_TTL_S }),
  },
  {
    provide: TokenVerifier,
    inject: [SigningKeys, DeviceDirectory, UserSessionDirectory],
    useFactory: (signingKeys: SigningKeys, devices: DeviceDirectory, sessions: UserSessionDirectory) =>
      new TokenVerifier(signingKeys, devices, sessions),
  },
]

const directories: Provider[] = [
  {
    provide: DeviceDirectory,
    inject: [DeviceRecords],
    useFactory: (records: DeviceRecords) => new DeviceDirectory(records),
  },
  {
    provide: UserSessionDirectory,
    inject: [UserRecords, AppConfig],
    useFactory: (records: UserRecords, config: AppConfig) => {
      const directory = new UserSessionDirectory(records, config.USER_TOKEN_TTL_S * 1000)
      directory.watch()
      return directory
    },
  },
]

const logins: Provider[] = [
  {
    provide: DeviceGate,
    inject: [AppConfig, DeviceRecords, Metrics],
    useFactory: (config: AppConfig, records: DeviceRecords, metrics: Metrics) => {
      const addresses = new DeviceAddresses(records)
      const limits = new LoginLimits(config.LOGIN_FAILURES_PER_MINUTE, addresses)
      return new DeviceGate('device', limits, addresses, new RefusalPace(), metrics)
    },
  },
  {
    provide: UserGate,
    inject: [AppConfig, Metrics],
    useFactory: (config: AppConfig, metrics: Metrics) => {
      const addresses = new UserAddresses()
      const limits = new LoginLimits(config.LOGIN_FAILURES_PER_MINUTE, addresses)
      return new UserGate('user', limits, addresses, new RefusalPace(), metrics)
    },
  },
  { provide: PasswordHasher, useFactory: () => PasswordHasher.create() },
  DeviceEnrolment,
  DeviceLearning,
  DeviceLogin,
  ErasingDevices,
  TrackerDoor,
  UserDoor,
  UserLogin,
]

/** Who may speak, and as whom: devices and users, their logins, tokens, keys and roles, and the log of what users did. */
@Global()
@Module({
  imports: [DiscoveryModule],
  controllers: [DeviceAuthController, UserAuthController, UsersController, AuditController, JwksController],
  providers: [
    ...keys,
    ...directories,
    ...logins,
    AuditLog,
    Users,
    FirstAdmin,
    AccessCheck,
    { provide: APP_GUARD, useClass: AccessGuard },
    { provide: APP_INTERCEPTOR, useClass: IdempotencyInterceptor },
  ],
  exports: [
    AuditLog,
    DeviceDirectory,
    DeviceLearning,
    ErasingDevices,
    FirstAdmin,
    SigningKeys,
    TokenIssuer,
    TokenVerifier,
    TrackerDoor,
    UserSessionDirectory,
  ],
})
export class IdentityModule {}
