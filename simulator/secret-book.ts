import { randomBytes } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { z } from 'zod'

const Line = z.object({ deviceId: z.string(), secret: z.string() })

/** The secrets of simulated trucks, in a file that only its owner reads: one line of JSON each, the last one of a truck counts. */
export class SecretBook {
  private readonly secrets = new Map<string, string>()

  constructor(private readonly file: string) {
    const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []
    for (const text of lines) {
      const line = Line.safeParse(parsed(text)).data // a torn line is a lost secret: the truck is given a new one
      if (line !== undefined) this.secrets.set(line.deviceId, line.secret)
    }
  }

  find(deviceId: string): string | undefined {
    return this.secrets.get(deviceId)
  }

  /** Keeps a secret that the server has taken. */
  keep(deviceId: string, secret: string): void {
    appendFileSync(this.file, `\n${JSON.stringify({ deviceId, secret })}\n`, { mode: 0o600 })
    this.secrets.set(deviceId, secret)
  }
}

/** A secret nobody can guess: 256 bits, 43 characters. */
export function makeSecret(): string {
  return randomBytes(32).toString('base64url')
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
