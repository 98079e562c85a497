import type { FastifyRequest } from 'fastify'
import type { UploadBody } from '../../videos/upload-body.js'
import { bytesOf } from '../../web/streamed-body.js'

/**
 * The streamed body of a request.
 * @param bytes what is made of it; the body as it is, if absent
 */
export function requestBodyOf(
  request: FastifyRequest,
  bytes: AsyncIterable<Uint8Array> = bytesOf(request),
): UploadBody {
  const { raw } = request
  return {
    bytes,
    get isCut() {
      return raw.destroyed && !raw.complete
    },
    cut: () => {
      raw.socket.destroy()
    },
  }
}
