import { z } from 'zod'
import type { ClipFile, ClipUploads, UploadOutcome } from '../unit/unit-transport.js'
import type { DeviceToken } from './device-token.js'
import { BASE_PATH, type ServerApi } from './server-api.js'
import { askWithToken, isLastingStatus, type UploadRequest } from './upload-request.js'

const Stored = z.object({ id: z.string() })

/** JSON units' way for files over a good network: `PUT /videos/{fileName}`, streamed, with the digest of its bytes. */
export class PutUploads implements ClipUploads {
  constructor(
    private readonly api: ServerApi,
    private readonly tokens: DeviceToken,
  ) {}

  async upload(clip: ClipFile, signal: AbortSignal): Promise<UploadOutcome> {
    const { status, text, refusal } = await askWithToken(this.tokens, this.requestOf(clip), signal)
    if (refusal !== undefined) return { refusal, isLasting: isLastingStatus(status) }
    const stored = Stored.safeParse(parsed(text)).data
    if (stored !== undefined) return { videoId: stored.id }
    return { refusal: { code: 'bad_answer', message: 'the answer names no video' }, isLasting: false }
  }

  private requestOf({ bytes, fileName, path, recordedAtMs, sha256 }: ClipFile): UploadRequest {
    return {
      method: 'PUT',
      url: new URL(`${BASE_PATH}/videos/${encodeURIComponent(fileName)}`, this.api.origin),
      headers: {
        'content-type': 'video/mp4',
        'content-length': String(bytes),
        'content-digest': `sha-256=:${sha256.toString('base64')}:`,
        'x-recorded-at': new Date(recordedAtMs).toISOString(),
      },
      file: { path, offset: 0 },
    }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
