import { Controller, Get, Header } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import type { JSONWebKeySet } from 'jose'
import { Answers, Refuses } from '../web/answers.js'
import { Public } from './access.js'
import { keySetOut } from './auth.schema.js'
import { SigningKeys } from './signing-keys.js'

@ApiTags('auth')
@Controller('.well-known')
export class JwksController {
  constructor(private readonly keys: SigningKeys) {}

  @Get('jwks.json')
  @Public()
  @Header('cache-control', 'public, max-age=300')
  @ApiOperation({
    operationId: 'getPublicKeys',
    summary: 'The public keys',
    description:
      "For services that verify tokens on their own; fetch again when a token names a key you do not know. They cannot see that a device was disabled or its secret changed: that shows only here, in the token's generation.",
  })
  @Answers(200, 'A JSON Web Key Set (RFC 7517); the first key is the one that signs', keySetOut)
  @Refuses()
  publicKeys(): JSONWebKeySet {
    return this.keys.publicSet()
  }
}
