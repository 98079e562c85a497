import type { UploadAnswer, UploadClient } from './upload-client.js'

const VIDEOS = '/api/v1/videos'
const TUS = { 'tus-resumable': '1.0.0' }
const TUS_PART_BYTES = 8_388_608
const BOUNDARY = 'milepost-bench-boundary'

/** A file with its SHA-256 in lower-case hex. */
export interface Clip {
  readonly bytes: Buffer
  readonly sha256: string
}

/**
 * Uploads one clip under a name.
 * @returns the id of what was stored
 * @throws Error with an answer that is not the expected one
 */
export type UploadWay = (client: UploadClient, name: string, clip: Clip) => Promise<string>

/** Into the bare server below this path. */
export function putBare(under: string): UploadWay {
  return async (client, name, { bytes, sha256 }) => {
    const answer = await client.send({ method: 'PUT', path: `/${under}/${name}`, headers: {}, pieces: [bytes] })
    const stored = parsed<{ bytes: number; sha256: string | null }>(answer, 201)
    if (stored.bytes !== bytes.length || (stored.sha256 ?? sha256) !== sha256) throw new Error(answer.text)
    return name
  }
}

export const putRaw: UploadWay = async (client, name, clip) => {
  const headers = { 'content-type': 'video/mp4' }
  return videoId(await client.send({ method: 'PUT', path: `${VIDEOS}/${name}`, headers, pieces: [clip.bytes] }), clip)
}

export const postForm: UploadWay = async (client, name, clip) => {
  const disposition = `Content-Disposition: form-data; name="file"; filename="${name}"`
  const head = Buffer.from(`--${BOUNDARY}\r\n${disposition}\r\nContent-Type: video/mp4\r\n\r\n`)
  const pieces = [head, clip.bytes, Buffer.from(`\r\n--${BOUNDARY}--\r\n`)]
  const headers = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` }
  return videoId(await client.send({ method: 'POST', path: VIDEOS, headers, pieces }), clip)
}

/** tus with all bytes in one PATCH. */
export const tusWhole: UploadWay = (client, name, clip) => resumably(client, name, clip, clip.bytes.length)

/** tus with a PATCH for each 8 MiB, as a client that is to lose little with its connection sends it. */
export const tusInParts: UploadWay = (client, name, clip) => resumably(client, name, clip, TUS_PART_BYTES)

async function resumably(client: UploadClient, name: string, { bytes }: Clip, partBytes: number): Promise<string> {
  const metadata = `filename ${Buffer.from(name).toString('base64')}`
  const begun = await client.send({
    method: 'POST',
    path: `${VIDEOS}/uploads`,
    headers: { ...TUS, 'upload-length': bytes.length, 'upload-metadata': metadata },
    pieces: [],
  })
  const { location } = begun.headers
  if (begun.status !== 201 || location === undefined) throw unexpected(begun)
  let answer = begun
  for (let offset = 0; offset < bytes.length; offset += partBytes) {
    const headers = { ...TUS, 'upload-offset': offset, 'content-type': 'application/offset+octet-stream' }
    const pieces = [bytes.subarray(offset, offset + partBytes)]
    answer = await client.send({ method: 'PATCH', path: location, headers, pieces })
    if (answer.status !== 204) throw unexpected(answer)
  }
  const id = answer.headers['video-id']
  if (typeof id !== 'string') throw unexpected(answer)
  return id
}

function videoId(answer: UploadAnswer, { bytes, sha256 }: Clip): string {
  const video = parsed<{ id: string; bytes: number; sha256: string }>(answer, 201)
  if (video.bytes !== bytes.length || video.sha256 !== sha256) throw unexpected(answer)
  return video.id
}

function parsed<T>(answer: UploadAnswer, status: number): T {
  if (answer.status !== status) throw unexpected(answer)
  return JSON.parse(answer.text) as T
}

function unexpected({ status, headers, text }: UploadAnswer): Error {
  return new Error(`the server answered ${status} ${JSON.stringify(headers)} ${text}`)
}
