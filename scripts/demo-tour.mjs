/** What there is to see in the demonstration, done and told as a dispatcher would do it over REST. */
import { setTimeout as sleep } from 'node:timers/promises'

const LOOK_EVERY_MS = 1_000
const PATIENCE_MS = 60_000
const CALL_TIMEOUT_MS = 40_000
/** Long enough for a unit that restarts. */
const WAIT_S = 25

/**
 * Resets a truck, waits for a clip that an alarm of this run names, and says where to look.
 * @param {{ url: string, password: string, since: Date, signal: AbortSignal, say: (line: string) => void }} options
 */
export async function tour({ url, password, since, signal, say }) {
  const client = await signIn(url, password, signal)
  const truck = await patiently(signal, async () => (await client.get('/devices?online=true&limit=1')).items[0])
  if (truck === undefined) return say('Demo: no truck came online.')
  await reset(client, truck.deviceId, say)
  const clip = await patiently(signal, () => findClip(client, since))
  await describe(client, url, truck.deviceId, clip, say)
}

async function reset(client, deviceId, say) {
  say(`Demo: RESET of ${deviceId}, waiting for its fate …`)
  const path = `/devices/${deviceId}/commands`
  const command = await client.post(path, { type: 'RESET' }, { prefer: `wait=${WAIT_S}` })
  const [first] = command.history
  const steps = command.history.map(({ at, status }) => `${status} +${Date.parse(at) - Date.parse(first.at)} ms`)
  say(`Demo: RESET ${command.status}${command.message ? ` (${command.message})` : ''}: ${steps.join(', ')}`)
}

/** The newest alarm of this run whose clip has its pictures. */
async function findClip(client, since) {
  const query = new URLSearchParams({ hasVideo: 'true', from: since.toISOString() })
  const { items } = await client.get(`/alarms?${query}`)
  for (const alarm of items) {
    for (const { videoId } of alarm.files) {
      const video = videoId === null ? undefined : await client.get(`/videos/${videoId}`)
      if (video?.status === 'ready') return { alarm, video }
    }
  }
  return undefined
}

async function describe(client, url, deviceId, clip, say) {
  const { items } = await client.get('/alarms/summary?by=type')
  const total = items.reduce((sum, { count }) => sum + count, 0)
  say(`Demo: ${total} alarms so far: ${items.map(({ key, count }) => `${key} ${count}`).join(', ')}`)
  say(`  Try it out             ${url}/docs`)
  say(`  Alarms with a clip     GET ${url}/api/v1/alarms?hasVideo=true`)
  say(`  The truck's commands   GET ${url}/api/v1/devices/${deviceId}/commands`)
  if (clip === undefined) return say('  No clip is ready yet:  GET /api/v1/videos')
  const { alarm, video } = clip
  const link = await client.post(`/videos/${video.id}/link`, {})
  say(
    `  ${alarm.type} of ${alarm.deviceId} on video (${video.durationS} s, ${video.bytes} bytes), for a browser and 10 minutes:`,
  )
  say(`    thumbnail ${new URL(link.thumbnail, url)}`)
  say(`    clip      ${new URL(link.content, url)}`)
}

async function signIn(url, password, signal) {
  const client = clientOf(url, undefined, signal)
  const session = await patiently(signal, () => client.post('/auth/login', { username: 'admin', password }))
  if (session === undefined) throw new Error('admin was not let in')
  return clientOf(url, session.accessToken, signal)
}

function clientOf(url, token, signal) {
  const call = async (method, path, body, headers = {}) => {
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(CALL_TIMEOUT_MS)]),
    })
    const answer = await response.json()
    if (response.ok) return answer
    throw new Error(`${method} ${path}: ${answer.detail ?? response.status} (${answer.code})`)
  }
  return { get: (path) => call('GET', path), post: (path, body, headers) => call('POST', path, body, headers) }
}

/** What the attempt finds, tried again for a minute while it finds nothing; undefined: nothing. */
async function patiently(signal, attempt) {
  const untilMs = Date.now() + PATIENCE_MS
  while (Date.now() < untilMs) {
    const found = await attempt()
    if (found !== undefined) return found
    await sleep(LOOK_EVERY_MS, undefined, { signal })
  }
  return undefined
}
