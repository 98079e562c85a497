import type { MediaType } from '../../model/video.js'
import type { MediaLimits } from './media-limits.js'
import type { Moment } from './packet-listing.js'

/** Of ffmpeg. */
type Demuxer = 'mov' | 'avi' | 'matroska' | 'mpegts' | 'mpeg' | 'image2'

const DEMUXERS: Readonly<Record<MediaType, Demuxer>> = {
  'video/mp4': 'mov',
  'video/quicktime': 'mov',
  'video/3gpp': 'mov',
  'video/x-msvideo': 'avi',
  'video/x-matroska': 'matroska',
  'video/webm': 'matroska',
  'video/mp2t': 'mpegts',
  'video/mpeg': 'mpeg',
  'image/jpeg': 'image2',
}

/** What cameras in vehicles write. Every other decoder of the tool, sound included, is never run on a unit's bytes. */
const DECODERS =
  'h264,hevc,mpeg4,mjpeg,h263,mpeg1video,mpeg2video,msmpeg4v2,msmpeg4,wmv2,vp8,vp9,libdav1d,libaom-av1,av1'

/** They have no index, and their readers begin anywhere between two key pictures. */
const BLIND: ReadonlySet<Demuxer> = new Set(['mpegts', 'mpeg'])
/** Clocks of such files are not exact. */
const BEFORE_KEY_S = 1

/** Where to begin to read so that the picture of a moment can be decoded, and how much to leave out after that; in seconds. */
export function placeOf(type: MediaType, { atS, keyS }: Moment): { readonly seekS: number; readonly skipS: number } {
  if (!BLIND.has(DEMUXERS[type])) return { seekS: atS, skipS: 0 }
  const seekS = Math.max(0, keyS - BEFORE_KEY_S)
  return { seekS, skipS: atS - seekS }
}

/**
 * ffmpeg's options for reading a file of a unit: the type that its bytes showed and no guess, this one file and no other that
 * it may name, no network, and no memory for sizes that no camera has.
 * @param file absolute path; the protocol before it keeps a name from being an option or an address
 * @param seekS where to begin
 */
export function inputOptions(file: string, type: MediaType, seekS: number, limits: MediaLimits): string[] {
  const demuxer = DEMUXERS[type]
  const isPicture = type === 'image/jpeg'
  return [
    ['-threads', '1'],
    ['-f', demuxer],
    ['-protocol_whitelist', 'file'],
    ['-format_whitelist', demuxer],
    ['-codec_whitelist', isPicture ? 'mjpeg' : DECODERS],
    // References to other files, which a MOV may hold.
    demuxer === 'mov' ? ['-enable_drefs', '0', '-use_absolute_path', '0'] : [],
    // The name is a name, not a pattern of names.
    isPicture ? ['-pattern_type', 'none'] : [],
    ['-max_pixels', String(isPicture ? limits.picturePixels : limits.videoPixels)],
    seekS === 0 ? [] : ['-ss', seekS.toFixed(3)],
    ['-i', `file:${file}`],
  ].flat()
}
