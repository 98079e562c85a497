import { Agent, type IncomingHttpHeaders, request } from 'node:http'

/** What an answer was. */
export interface UploadAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

export interface UploadRequest {
  readonly method: string
  /** With its leading slash. */
  readonly path: string
  readonly headers: Readonly<Record<string, string | number>>
  /** The body, which is given to the socket as it is: nothing is copied. */
  readonly pieces: readonly Uint8Array[]
}

/** One kept-alive connection of a unit that uploads. */
export class UploadClient {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 1 })

  constructor(
    private readonly url: string,
    private readonly token: string,
  ) {}

  send({ method, path, headers, pieces }: UploadRequest): Promise<UploadAnswer> {
    return new Promise((resolve, reject) => {
      const length = pieces.reduce((sum, piece) => sum + piece.byteLength, 0)
      const all = { authorization: `Bearer ${this.token}`, 'content-length': length, ...headers }
      const sending = request(`${this.url}${path}`, { agent: this.agent, method, headers: all }, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          text += chunk
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }))
        response.on('error', reject)
      })
      sending.on('error', reject)
      for (const piece of pieces) sending.write(piece)
      sending.end()
    })
  }

  close(): void {
    this.agent.destroy()
  }
}
