import { fileTypeFromBuffer } from 'file-type/core'
import type { MediaType } from '../model/video.js'

/** Bytes after which a file that could not be told is none of ours; containers name themselves in the first few hundred. */
export const HEAD_BYTES = 1024
/** With fewer the names of brands and kinds may be cut, and be read as others. */
const ENOUGH_BYTES = 64

/** What file-type calls the kinds that units send, by our names. */
const NAMES: Readonly<Record<string, MediaType>> = {
  'video/mp4': 'video/mp4',
  'video/x-m4v': 'video/mp4',
  'video/quicktime': 'video/quicktime',
  'video/3gpp': 'video/3gpp',
  'video/3gpp2': 'video/3gpp',
  'video/vnd.avi': 'video/x-msvideo',
  'video/matroska': 'video/x-matroska',
  'video/webm': 'video/webm',
  'video/mp2t': 'video/mp2t',
  'video/mpeg': 'video/mpeg',
  'video/MP1S': 'video/mpeg',
  'video/MP2P': 'video/mpeg',
  'image/jpeg': 'image/jpeg',
}

/**
 * What a file is by its own first bytes; its name and what the client says of it count for nothing.
 * @param isAll these are all bytes of the file
 * @returns null: neither a video nor a JPEG picture; undefined: more bytes are needed to tell
 */
export async function mediaTypeOf(head: Uint8Array, isAll: boolean): Promise<MediaType | null | undefined> {
  const isLast = isAll || head.length >= HEAD_BYTES
  if (head.length < ENOUGH_BYTES && !isLast) return undefined
  const found = NAMES[(await fileTypeFromBuffer(head))?.mime ?? '']
  if (found === 'video/mp2t' && !hasAllSyncBytes(head)) return null
  return found ?? (isLast ? null : undefined)
}

const SYNC = 0x47

/** The two bytes that file-type looks at are in many a text: every packet must begin with one, plain (188 bytes) or with its time (192). */
function hasAllSyncBytes(head: Uint8Array): boolean {
  return [
    [0, 188],
    [4, 192],
  ].some(([first, step]) => isEvery(head, first as number, step as number))
}

function isEvery(head: Uint8Array, first: number, step: number): boolean {
  for (let at = first; at < head.length; at += step) if (head[at] !== SYNC) return false
  return head.length > first + step
}
