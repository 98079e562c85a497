import { type ChildProcess, execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { constants, setPriority } from 'node:os'
import path from 'node:path'

export interface ClipRequest {
  readonly deviceId: string
  readonly fileName: string
  readonly fromMs: number
  readonly durationMs: number
}

/** A clip could not be made; the message is ffmpeg's. */
export class ClipError extends Error {
  override readonly name = 'ClipError'
}

const MAKING_TIMEOUT_MS = 60_000
/** Where systems keep a font that ffmpeg can draw with; without one the picture carries no text. */
const FONTS = [
  '/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf',
  '/usr/share/fonts/dejavu-sans-mono-fonts/DejaVuSansMono.ttf',
  '/usr/share/fonts/TTF/DejaVuSansMono.ttf',
  '/System/Library/Fonts/Supplemental/Courier New.ttf',
]

/** The packaged ffmpeg, if the machine's kind has one. */
export async function findPackagedFfmpeg(): Promise<string | undefined> {
  try {
    const { default: ffmpeg } = await import('@ffmpeg-installer/ffmpeg')
    return ffmpeg.path
  } catch {
    return undefined // no binary for this kind of machine
  }
}

/**
 * Makes small H.264 clips of ffmpeg's test picture, each in a colour of its truck and, where there is a font, with its id and the
 * running time. One at a time, at low priority. The same request gives the same bytes, and a clip that is there is not made again.
 */
export class ClipMaker {
  private last: Promise<unknown> = Promise.resolve()
  private readonly font = FONTS.find((file) => existsSync(file))

  constructor(
    private readonly ffmpeg: string,
    private readonly directory: string,
  ) {}

  /**
   * @returns the file's path; it is whole or not there
   * @throws ClipError
   */
  make(request: ClipRequest, signal: AbortSignal): Promise<string> {
    const making = this.last.then(() => this.makeOne(request, signal))
    this.last = making.catch(() => {})
    return making
  }

  /** The clip is of no more use. */
  async discard({ deviceId, fileName }: Pick<ClipRequest, 'deviceId' | 'fileName'>): Promise<void> {
    await rm(this.pathOf(deviceId, fileName), { force: true })
  }

  private async makeOne(request: ClipRequest, signal: AbortSignal): Promise<string> {
    const file = this.pathOf(request.deviceId, request.fileName)
    if (existsSync(file)) return file
    await mkdir(path.dirname(file), { recursive: true })
    const unfinished = `${file}.part`
    await this.run([...inputOf(request), '-vf', this.filterOf(request), ...outputOf(request), unfinished], signal)
    await rename(unfinished, file)
    return file
  }

  private run(parameters: readonly string[], signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const child: ChildProcess = execFile(
        this.ffmpeg,
        [...parameters],
        { timeout: MAKING_TIMEOUT_MS, signal, windowsHide: true },
        (error, _stdout, stderr) => {
          if (error === null) resolve()
          else reject(new ClipError(`${this.ffmpeg}: ${stderr.trim().split('\n').at(-1) || error.message}`))
        },
      )
      lowerPriority(child.pid)
    })
  }

  private filterOf({ deviceId, fromMs }: ClipRequest): string {
    const colour = `hue=h=${hueOf(deviceId)}`
    if (this.font === undefined) return colour
    const seconds = Math.floor(fromMs / 1000)
    const place = `fontfile=${this.font.replaceAll(/[\\: ]/g, '\\$&')}:fontcolor=white:box=1:boxcolor=black@0.6:x=8`
    const id = deviceId.replaceAll(/[^A-Za-z0-9._-]/g, '')
    return `${colour},drawtext=${place}:fontsize=20:y=8:text=${id},drawtext=${place}:fontsize=16:y=h-28:text='%{pts\\:gmtime\\:${seconds}}Z'`
  }

  private pathOf(deviceId: string, fileName: string): string {
    return path.join(this.directory, deviceId, fileName)
  }
}

function inputOf({ durationMs }: ClipRequest): string[] {
  const source = `testsrc2=size=320x240:rate=10:duration=${durationMs / 1000}`
  return ['-nostdin', '-v', 'error', '-y', '-f', 'lavfi', '-i', source]
}

function outputOf({ deviceId, fromMs }: ClipRequest): string[] {
  const coding = ['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '30', '-pix_fmt', 'yuv420p', '-threads', '1']
  const bitExact = ['-fflags', '+bitexact', '-flags:v', '+bitexact', '-movflags', '+faststart', '-f', 'mp4']
  return [...coding, ...bitExact, '-metadata', `title=${deviceId} ${new Date(fromMs).toISOString()}`]
}

/** Degrees on the colour circle. */
function hueOf(deviceId: string): number {
  let hue = 0
  for (const character of deviceId) hue = (hue * 31 + (character.codePointAt(0) ?? 0)) % 360
  return hue
}

function lowerPriority(pid: number | undefined): void {
  try {
    if (pid !== undefined) setPriority(pid, constants.priority.PRIORITY_LOW)
  } catch {
    // it has ended already, or the system does not let us: a nicety
  }
}
