import { createServer } from 'node:net'

/** What toxiproxy does to connections; units as it names them. */
export interface Toxic {
  readonly type: 'latency' | 'timeout' | 'reset_peer' | 'bandwidth'
  /** `latency`: ms; `timeout` and `reset_peer`: ms until the end, 0 of `timeout`: never; `bandwidth`: KB/s. */
  readonly attributes: Readonly<Record<string, number>>
  /** From the server or to it; both unless given. */
  readonly streams?: ReadonlyArray<'upstream' | 'downstream'>
}

/** One connection's way to a server through toxiproxy. */
export class FaultyProxy {
  private constructor(
    private readonly name: string,
    /** Where it listens. */
    readonly address: string,
  ) {}

  /** @param upstream host and port of the server */
  static async to(upstream: string): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(`milepost-${process.pid}-${upstream}`, `127.0.0.1:${await freePort()}`)
    await call('POST', '/proxies', { name: proxy.name, listen: proxy.address, upstream, enabled: true })
    return proxy
  }

  async spoil({ type, attributes, streams = ['upstream', 'downstream'] }: Toxic): Promise<void> {
    for (const stream of streams) {
      const name = `${type}-${stream}`
      await call('POST', `/proxies/${this.name}/toxics`, { name, type, stream, attributes })
    }
  }

  async heal(): Promise<void> {
    const toxics = (await call('GET', `/proxies/${this.name}/toxics`)) as ReadonlyArray<{ name: string }>
    for (const { name } of toxics) await call('DELETE', `/proxies/${this.name}/toxics/${name}`)
  }

  async remove(): Promise<void> {
    await call('DELETE', `/proxies/${this.name}`)
  }
}

async function call(method: string, path: string, body?: unknown): Promise<unknown> {
  const response = await fetch(`${process.env.TOXIPROXY_URL}${path}`, {
    method,
    body: body === undefined ? undefined : JSON.stringify(body),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`toxiproxy: ${method} ${path}: ${text}`)
  return text === '' ? undefined : JSON.parse(text)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
