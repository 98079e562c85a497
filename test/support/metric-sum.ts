import type { Api } from './api.js'

/** Sum of a metric over all its labels, of those lines that match. */
export async function metricSum({ api }: { readonly api: Api }, name: string, labels = /.*/): Promise<number> {
  const lines = (await api.get('/metrics')).text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
  return lines.filter((line) => labels.test(line)).reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
}
