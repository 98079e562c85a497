import type { Clock } from '../clock.js'
import type { Random } from '../random.js'
import { type ClipUploads, type OpenOutcome, UnitTransport } from '../unit/unit-transport.js'
import { DeviceToken, type UnitIdentity } from './device-token.js'
import { DirectUploads } from './direct-uploads.js'
import { PutUploads } from './put-uploads.js'
import type { ServerApi } from './server-api.js'
import { connect } from './socket-link.js'
import { TusUploads } from './tus-uploads.js'

/** How files go: whole in one request, so that they go on after a cut, or past the server to its object store. */
export type UploadWay = 'put' | 'tus' | 'direct'

/** Refusals of a handshake, and reasons of a `closing`, after which the token held is worth nothing. */
const TOKEN_IS_WORTHLESS = new Set([
  'token_missing',
  'token_invalid',
  'token_expired',
  'login_refused',
  'device_disabled',
])

/** JSON units' way to the server: a login over HTTP for a token, everything but files over the device socket. */
export class SocketTransport extends UnitTransport {
  override readonly carriesAlarms = true
  override readonly uploads: ClipUploads
  private readonly tokens: DeviceToken

  constructor(
    private readonly api: ServerApi,
    identity: UnitIdentity,
    private readonly clock: Clock,
    random: Random,
    uploadWay: UploadWay = 'put',
  ) {
    super()
    this.tokens = new DeviceToken(api, identity, clock, random)
    this.uploads = this.uploadsBy(uploadWay)
  }

  override forgetLogin(): void {
    this.tokens.forget()
  }

  /** A token from an earlier link that is refused now is replaced at once; a fresh one that is refused is the outcome. */
  async open(signal: AbortSignal): Promise<OpenOutcome> {
    const { token, isFresh, refusal } = await this.tokens.get(signal)
    if (token === undefined) return { refusal }
    const { clock, tokens } = this
    const outcome = await connect({ origin: this.api.origin, token, tokens, clock, signal })
    if (outcome.link !== undefined) {
      void outcome.link.ended.then(({ code }) => this.forgetTokenAfter(code))
      return outcome
    }
    const isForgotten = this.forgetTokenAfter(outcome.refusal.code)
    return isForgotten && !isFresh ? this.open(signal) : outcome
  }

  private uploadsBy(way: UploadWay): ClipUploads {
    const { api, tokens } = this
    if (way === 'tus') return new TusUploads(api, tokens)
    const put = new PutUploads(api, tokens)
    return way === 'put' ? put : new DirectUploads(api, tokens, put)
  }

  private forgetTokenAfter(code: string | undefined): boolean {
    const isWorthless = code !== undefined && TOKEN_IS_WORTHLESS.has(code)
    if (isWorthless) this.tokens.forget()
    return isWorthless
  }
}
