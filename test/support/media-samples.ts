import { execFileSync } from 'node:child_process'
import { chmodSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { path as packagedFfmpeg } from '@ffmpeg-installer/ffmpeg'
import type { MediaType } from '../../src/model/video.js'
import type { MediaSource } from '../../src/videos/media/ffmpeg.js'
import { temporaryDirectory } from './temporary-directory.js'

/** The tool that tests run with; FFMPEG_PATH tries another one. */
export const FFMPEG = process.env.FFMPEG_PATH ?? packagedFfmpeg

const H264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p']

/** What a sample is to be. */
export interface Sample {
  readonly size?: string
  readonly seconds?: number
  readonly rate?: number
  /** ffmpeg's options for the file. */
  readonly options?: readonly string[]
  /** ffmpeg's options for the test picture, its decoder side. */
  readonly before?: readonly string[]
}

/** Makes a file of ffmpeg's moving test picture. @returns its path */
export function makeSample(directory: string, name: string, sample: Sample = {}): string {
  const { size = '320x180', seconds = 2, rate = 10, options = H264, before = [] } = sample
  const file = path.join(directory, name)
  const source = `testsrc2=size=${size}:rate=${rate}:duration=${seconds}`
  runFfmpeg([...before, '-f', 'lavfi', '-i', source, ...options, file])
  return file
}

/** Runs the tool without any limits, on what a test made itself. */
export function runFfmpeg(args: readonly string[]): void {
  execFileSync(packagedFfmpeg, ['-hide_banner', '-nostdin', '-loglevel', 'error', '-y', ...args])
}

/**
 * A tool that can be used, but for what the shell script does with the files of units.
 * @param file where to put it, if that matters
 */
export function fakeTool(text: string, file = path.join(temporaryDirectory(), 'fake-ffmpeg')): string {
  const good = `case "$*" in *-version*|*sample.jpg*) exec '${FFMPEG}' "$@";; esac`
  writeFileSync(file, `#!/bin/sh\n${good}\n${text}\n`)
  chmodSync(file, 0o700)
  return file
}

export function sourceOf(file: string, type: MediaType = 'video/mp4'): MediaSource {
  return { file, type, bytes: statSync(file).size }
}

/** @returns width and height as the frame header of a JPEG says */
export function jpegSize(jpeg: Buffer): { width: number; height: number } {
  let at = 2
  while (at + 9 < jpeg.length) {
    const marker = jpeg.readUInt16BE(at)
    if (marker >= 0xffc0 && marker <= 0xffc2) {
      return { width: jpeg.readUInt16BE(at + 7), height: jpeg.readUInt16BE(at + 5) }
    }
    at += 2 + jpeg.readUInt16BE(at + 2)
  }
  throw new Error('no frame header')
}
