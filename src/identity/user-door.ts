import { Injectable } from '@nestjs/common'
import { UserGate } from './login-gate.js'
import { PasswordHasher } from './password-hasher.js'
import { TokenIssuer } from './tokens.js'

/** What stands between a password and a token. */
@Injectable()
export class UserDoor {
  constructor(
    readonly gate: UserGate,
    readonly hasher: PasswordHasher,
    readonly issuer: TokenIssuer,
  ) {}
}
