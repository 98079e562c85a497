import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { ClipFile, ClipUploads, UploadOutcome } from '../unit/unit-transport.js'
import type { DeviceToken } from './device-token.js'
import { BASE_PATH, type ServerApi } from './server-api.js'
import { askWithToken, isLastingStatus, type UploadAnswer, type UploadRequest } from './upload-request.js'

const VERSION = { 'tus-resumable': '1.0.0' }
/** Another one sends to the same address, or somebody has: what counts is where it stands now. */
const OUT_OF_STEP = new Set([409, 423])
/** The upload is gone, expired with what was sent of it. */
const GONE = new Set([404, 410])

/** Where an upload stands, or the end of this attempt. */
type Stand =
  | { readonly url: URL; readonly offset: number; readonly end?: undefined }
  | { readonly url?: undefined; readonly end: UploadOutcome }

/**
 * JSON units' way for files over a network that drops: tus 1.0 at `/videos/uploads`. An attempt goes on where the one before was
 * cut, also in another life of the process: the address of an upload is kept beside its file until it has ended.
 */
export class TusUploads implements ClipUploads {
  constructor(
    private readonly api: ServerApi,
    private readonly tokens: DeviceToken,
  ) {}

  /** @throws the file system's error when the address cannot be kept */
  async upload(clip: ClipFile, signal: AbortSignal): Promise<UploadOutcome> {
    const stand = (await this.find(clip, signal)) ?? (await this.create(clip, signal))
    const outcome = stand.end ?? (await this.goOn(clip, stand.url, stand.offset, signal))
    if (outcome.videoId !== undefined || outcome.isLasting) this.forget(clip)
    return outcome
  }

  /** Asks after an upload that was begun; undefined: there is none that could be gone on with. */
  private async find(clip: ClipFile, signal: AbortSignal): Promise<Stand | undefined> {
    const url = this.recall(clip)
    if (url === undefined) return undefined
    const answer = await this.ask({ method: 'HEAD', url, headers: {} }, signal)
    const { headers, refusal, status } = answer
    if (refusal !== undefined && !isLastingStatus(status)) return { end: { refusal, isLasting: false } }
    const offset = offsetOf(answer)
    const isOurs = refusal === undefined && Number(headers['upload-length']) === clip.bytes
    const videoId = isOurs ? videoIdOf(answer) : undefined
    if (videoId !== undefined) return { end: { videoId } }
    if (isOurs && offset !== undefined && offset <= clip.bytes) return { url, offset }
    this.forget(clip) // a HEAD has no words: what lasts is said again, with its reason, to the next upload
    return undefined
  }

  private async create(clip: ClipFile, signal: AbortSignal): Promise<Stand> {
    const home = new URL(`${BASE_PATH}/videos/uploads`, this.api.origin)
    const headers = { 'upload-length': String(clip.bytes), 'upload-metadata': metadataOf(clip), 'content-length': '0' }
    const { status, refusal, headers: answered } = await this.ask({ method: 'POST', url: home, headers }, signal)
    if (refusal !== undefined) return { end: { refusal, isLasting: isLastingStatus(status) } }
    const { location } = answered
    const url = location !== undefined && URL.canParse(location, home.href) ? new URL(location, home) : undefined
    // Nobody else is to be given the token.
    if (url?.origin !== home.origin) return { end: badAnswer('no address on this server to send the file to') }
    writeFileSync(bookmarkOf(clip), url.pathname, { mode: 0o600 })
    return { url, offset: 0 }
  }

  /** Sends the rest in one request. */
  private async goOn(clip: ClipFile, url: URL, offset: number, signal: AbortSignal): Promise<UploadOutcome> {
    const headers = {
      'content-type': 'application/offset+octet-stream',
      'content-length': String(clip.bytes - offset),
      'upload-offset': String(offset),
    }
    const answer = await this.ask({ method: 'PATCH', url, headers, file: { path: clip.path, offset } }, signal)
    const { refusal, status } = answer
    if (refusal === undefined) {
      const videoId = videoIdOf(answer)
      return videoId === undefined ? badAnswer('not all of the file was taken') : { videoId }
    }
    if (GONE.has(status)) this.forget(clip) // the next attempt begins anew
    const isPassing = GONE.has(status) || OUT_OF_STEP.has(status)
    return { refusal, isLasting: !isPassing && isLastingStatus(status) }
  }

  private ask(request: UploadRequest, signal: AbortSignal): Promise<UploadAnswer> {
    return askWithToken(this.tokens, { ...request, headers: { ...VERSION, ...request.headers } }, signal)
  }

  private recall(clip: ClipFile): URL | undefined {
    const file = bookmarkOf(clip)
    const path = existsSync(file) ? readFileSync(file, 'utf8') : ''
    return path.startsWith(`${BASE_PATH}/videos/uploads/`) ? new URL(path, this.api.origin) : undefined // else torn
  }

  private forget(clip: ClipFile): void {
    rmSync(bookmarkOf(clip), { force: true })
  }
}

function bookmarkOf({ path }: ClipFile): string {
  return `${path}.upload`
}

function metadataOf({ fileName, recordedAtMs }: ClipFile): string {
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  return `filename ${base64(fileName)},recordedAt ${base64(new Date(recordedAtMs).toISOString())}`
}

function offsetOf({ headers }: UploadAnswer): number | undefined {
  const text = String(headers['upload-offset'])
  return /^\d+$/.test(text) ? Number(text) : undefined
}

function videoIdOf({ headers }: UploadAnswer): string | undefined {
  const id = headers['video-id']
  return typeof id === 'string' && id !== '' ? id : undefined
}

function badAnswer(message: string): UploadOutcome {
  return { refusal: { code: 'bad_answer', message }, isLasting: false }
}
