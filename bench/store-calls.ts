import type { Milepost } from './milepost.js'

/** How often the server's store did an operation without an error, by its metrics. */
export async function storeCalls(server: Milepost, store: string, operation: string): Promise<number> {
  const { text } = await server.api.get('/metrics')
  const labels = `{store="${store}",operation="${operation}",outcome="ok"}`
  const line = text.split('\n').find((one) => one.startsWith(`milepost_store_seconds_count${labels} `))
  return Number(line?.split(' ').at(-1) ?? Number.NaN)
}
