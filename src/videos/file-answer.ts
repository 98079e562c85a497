import { Readable } from 'node:stream'
import { StreamableFile } from '@nestjs/common'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { AppError } from '../model/app-error.js'
import type { ByteRange } from '../storage/blobs/blob-store.js'
import { parseByteRange } from './byte-range.js'

/** A file that never changes, as HTTP answers with it. */
export interface ServedFile {
  readonly contentType: string
  readonly bytes: number
  /** Strong: one for these very bytes. */
  readonly etag: string
  readonly disposition: string
  /** Where the store itself answers with it, with ranges, for some minutes; undefined: only here. */
  elsewhere?(): Promise<string | undefined>
  open(range?: ByteRange): Promise<Readable>
}

/**
 * What units send is shown and never run: a browser that opens it as a page may show the picture or play the video and do nothing
 * else. (It is not made an origin of its own, since Chromium's player would not get the file then; without scripts that is no loss.)
 * Pages of any origin may embed it, since it takes a token or a signed link to get it at all. Browsers may keep it, but ask before
 * they use it again, so that a link that expired opens nothing any more.
 */
const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox allow-same-origin; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'cross-origin',
  'cache-control': 'private, no-cache',
  'accept-ranges': 'bytes',
}

/**
 * Answers with the file or with the range of it that was asked for (RFC 9110, 13 and 14), or with where it is.
 * @returns what Nest is to send: nothing when the client has the file already, or is to fetch it elsewhere
 * @throws AppError `range_not_satisfiable`, with `Content-Range` on the reply
 */
export async function answerFile(
  request: FastifyRequest,
  reply: FastifyReply,
  file: ServedFile,
): Promise<StreamableFile | undefined> {
  const { etag, contentType, bytes, disposition } = file
  if (matches(request.headers['if-none-match'], etag)) {
    void reply.status(304).headers({ ...HEADERS, etag })
    // For nothing, the framework would tell HEAD that the file has no bytes.
    return request.method === 'HEAD' ? new StreamableFile(Readable.from([]), { type: contentType }) : undefined
  }
  const elsewhere = request.method === 'HEAD' ? undefined : await file.elsewhere?.()
  if (elsewhere !== undefined) {
    // Never kept: it is good for minutes.
    void reply.status(302).headers({ ...HEADERS, 'cache-control': 'no-store', location: elsewhere })
    return undefined
  }
  const range = rangeOf(request, file)
  if (range === 'unsatisfiable') {
    void reply.header('content-range', `bytes */${bytes}`)
    throw new AppError('range_not_satisfiable', `The file has ${bytes} bytes`)
  }
  const body = request.method === 'HEAD' ? Readable.from([]) : await file.open(range)
  void reply.headers({ ...HEADERS, etag })
  if (range !== undefined) {
    void reply.status(206).header('content-range', `bytes ${range.first}-${range.last}/${bytes}`)
  }
  const length = range === undefined ? bytes : range.last - range.first + 1
  return new StreamableFile(body, { type: contentType, disposition, length })
}

/** Ranges are of GET only; one that was made for other bytes is not for these. */
function rangeOf({ method, headers }: FastifyRequest, { etag, bytes }: ServedFile) {
  const condition = headers['if-range']
  if (method !== 'GET' || (condition !== undefined && condition !== etag)) return undefined
  return parseByteRange(headers.range, bytes)
}

/** Whether `If-None-Match` names the file; the weak form of its tag is as good here. */
function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  const tags = header.split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  return tags.includes(etag) || header.trim() === '*'
}
