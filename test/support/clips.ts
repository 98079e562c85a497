import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import ffmpeg from '@ffmpeg-installer/ffmpeg'
import { temporaryDirectory } from './temporary-directory.js'

export interface ClipOptions {
  readonly extension: 'mp4' | 'webm'
  readonly seconds: number
  /** Megabits of a second; noise makes them real. */
  readonly megabits?: number
  /** So many times the same, one after the other, which costs no time to make. */
  readonly repeats?: number
  /** The index before the frames, so that a player can begin before it has the end. */
  readonly hasIndexFirst?: boolean
}

/** A clip of ffmpeg's test picture, 320 × 180 pixels, as a file's bytes. */
export function makeClip({
  extension,
  seconds,
  megabits = 0.3,
  repeats = 1,
  hasIndexFirst = true,
}: ClipOptions): Buffer {
  const directory = temporaryDirectory()
  const once = path.join(directory, `once.${extension}`)
  const file = path.join(directory, `clip.${extension}`)
  const source = `testsrc=duration=${seconds}:size=320x180:rate=10,noise=alls=80:allf=t`
  const rate = ['-b:v', `${megabits}M`, '-minrate', `${megabits}M`, '-maxrate', `${megabits}M`, '-bufsize', '1M']
  const codec =
    extension === 'mp4'
      ? ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '10']
      : ['-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8', '-g', '10']
  const index = extension === 'mp4' && hasIndexFirst ? ['-movflags', '+faststart'] : []
  run('-f', 'lavfi', '-i', source, ...codec, ...rate, once)
  run('-stream_loop', String(repeats - 1), '-i', once, '-c', 'copy', ...index, file)
  return readFileSync(file)
}

function run(...options: string[]): void {
  execFileSync(ffmpeg.path, ['-v', 'error', ...options])
}
