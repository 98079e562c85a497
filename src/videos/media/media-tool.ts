import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Logger } from '@nestjs/common'
import { inEmptyDirectory } from './empty-directory.js'
import { Ffmpeg } from './ffmpeg.js'
import type { MediaLimits } from './media-limits.js'
import { readMedia } from './read-media.js'
import { runTool } from './run-tool.js'
import { BoundedBytes, NoiseLimit } from './tool-sinks.js'

/** What is said when it is asked for its version. */
const VERSION = /^ffmpeg version (\S{1,80})/
const VERSION_BYTES = 65_536
const VERSION_WITHIN_MS = 10_000

/** A grey picture of 16 × 16, to see that the tool can do what is asked of it. */
const SAMPLE = Buffer.from(
  '/9j/4AAQSkZJRgABAgAAAQABAAD/2wBDAAgEBAQEBAUFBQUFBQYGBgYGBgYGBgYGBgYHBwcICAgHBwcGBgcHCAgICAkJCQgICAgJCQoKCgwMCwsODg4RERT/xABKAAEAAAAAAAAAAAAAAAAAAAAAAQEAAAAAAAAAAAAAAAAAAAAAEAEAAAAAAAAAAAAAAAAAAAAAEQEAAAAAAAAAAAAAAAAAAAAA/8AAEQgAEAAQAwEiAAIRAAMRAP/aAAwDAQACEQMRAD8AAA//2Q==',
  'base64',
)

/** The program that reads media: whether there is one that can be used, which one, and why not. */
export class MediaTool {
  private readonly logger = new Logger('media')
  private usable: string | undefined
  private looking: Promise<void> | undefined
  private reason: string | null = 'it has not been looked for yet'

  /** @param configured path or name of a program; undefined: the one that was installed with Milepost */
  constructor(
    private readonly configured: string | undefined,
    private readonly limits: MediaLimits,
  ) {}

  /** The program, if it can be used. */
  get path(): string | undefined {
    return this.usable
  }

  /** @throws Error saying why there is none, once it was looked for */
  async checkHealth(): Promise<void> {
    await this.looking
    if (this.usable === undefined) throw new Error(`Videos get no pictures: ${this.reason}`)
  }

  /** Looks for it and tries it out, unless that is under way. Never throws. */
  look(stop: AbortSignal): Promise<void> {
    this.looking ??= this.lookNow(stop)
      .catch((error: unknown) => this.miss(`it cannot be tried out: ${String(error)}`, null))
      .finally(() => {
        this.looking = undefined
      })
    return this.looking
  }

  private async lookNow(stop: AbortSignal): Promise<void> {
    const found = await this.find()
    if ('problem' in found) return this.miss(found.problem, null)
    const problem = await this.problemWith(found.path, stop)
    if (stop.aborted) return
    if (problem !== null) return this.miss(problem, found.path)
    if (this.usable !== found.path) this.logger.log({ event: 'media_tool_found', path: found.path })
    this.usable = found.path
    this.reason = null
  }

  /** It went away, or broke. */
  miss(reason: string, at: string | null): void {
    if (this.reason !== reason) this.logger.warn({ event: 'media_tool_missing', reason, path: at })
    this.usable = undefined
    this.reason = reason
  }

  private async find(): Promise<{ readonly path: string } | { readonly problem: string }> {
    const { configured } = this
    // It runs in another directory; a bare name is looked for where programs are.
    if (configured !== undefined) return { path: /[\\/]/.test(configured) ? path.resolve(configured) : configured }
    try {
      // The package throws at load where it has no program for the system.
      const { default: installed } = await import('@ffmpeg-installer/ffmpeg')
      return { path: installed.path }
    } catch (error) {
      return { problem: `no ffmpeg was installed with Milepost (${String(error)}); set FFMPEG_PATH` }
    }
  }

  private problemWith(program: string, stop: AbortSignal): Promise<string | null> {
    return inEmptyDirectory(async (directory) => {
      const version = await this.versionOf(program, directory, stop)
      if (version === null) return 'it is not there, cannot be run, or is no ffmpeg'
      const file = path.join(directory, 'sample.jpg')
      await writeFile(file, SAMPLE)
      const tool = new Ffmpeg(program, directory, this.limits, stop)
      const { outcome } = await readMedia(tool, { file, type: 'image/jpeg', bytes: SAMPLE.length })
      return outcome === 'ready' ? null : `this ffmpeg (${version}) cannot make a picture of a sample`
    })
  }

  private async versionOf(program: string, directory: string, stop: AbortSignal): Promise<string | null> {
    const said = new BoundedBytes(VERSION_BYTES)
    const end = await runTool({
      path: program,
      args: ['-version'],
      directory,
      limitMs: VERSION_WITHIN_MS,
      memoryBytes: this.limits.memoryBytes,
      sinks: [said],
      noise: new NoiseLimit(VERSION_BYTES),
      stop,
    })
    return end === 'done' ? (VERSION.exec(said.bytes.toString())?.[1] ?? null) : null
  }
}
