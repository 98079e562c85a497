import { setTimeout as sleep } from 'node:timers/promises'
import type { Browser, Page } from 'playwright-core'
import { testImei } from '../support/api.js'
import { type RunningApp, startApp } from '../support/app.js'
import {
  BROWSER_TEST_MS,
  browserSuite,
  launchBrowser,
  NEEDS_CHROMIUM,
  OtherSite,
  troublesOf,
} from '../support/browser.js'
import { makeClip } from '../support/clips.js'
import { VIDEOS } from '../support/stored-videos.js'
import { removeTemporaryDirectories } from '../support/temporary-directory.js'

const PART_SECONDS = 6
const SECONDS = 24
const READY_WITHIN_MS = 60_000
const PLAYER = 'video'

interface Links {
  readonly content: string
  readonly thumbnail: string
  readonly screenshots: string[]
}

/** What a page's `<video>` element says of itself. */
interface PlayerState {
  readonly currentTime: number
  readonly duration: number
  readonly width: number
  readonly height: number
  readonly error: string | null
}

jest.setTimeout(BROWSER_TEST_MS)

browserSuite(`a browser that shows a video by its signed links ${NEEDS_CHROMIUM}`, () => {
  const site = new OtherSite()
  let running: RunningApp
  let device: string
  let browser: Browser
  let page: Page
  let troubles: string[]

  beforeAll(async () => {
    await site.listen()
    running = await startApp({ CORS_ORIGINS: site.origin, DEVICE_ENROLMENT: 'open', MEDIA_WORKERS: '1' })
    device = await running.api.loginDevice(testImei(1))
    browser = await launchBrowser()
  })
  beforeEach(async () => {
    page = await browser.newPage()
    troubles = troublesOf(page)
  })
  afterEach(() => page.close())
  afterAll(async () => {
    await browser?.close()
    await running?.close()
    await site.close()
    await removeTemporaryDirectories()
  })

  /** As a unit does, and then waits until the pictures are made. */
  const upload = async (fileName: string, content: Buffer): Promise<Links> => {
    const response = await fetch(`${running.url}${VIDEOS}/${fileName}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${device}` },
      body: new Uint8Array(content),
    })
    const { id } = (await response.json()) as { id: string }
    expect([response.status, await readyStatusOf(id)]).toEqual([201, 'ready'])
    const { body } = await running.api.post<{ content: string; thumbnail: string; screenshots: string[] }>(
      `${VIDEOS}/${id}/link`,
      undefined,
      running.admin,
    )
    const whole = (path: string) => `${running.url}${path}`
    return {
      content: whole(body.content),
      thumbnail: whole(body.thumbnail),
      screenshots: body.screenshots.map(whole),
    }
  }

  const readyStatusOf = async (id: string): Promise<unknown> => {
    const deadline = Date.now() + READY_WITHIN_MS
    for (;;) {
      const { body } = await running.api.get(`${VIDEOS}/${id}`, running.admin)
      if (body.status !== 'processing' || Date.now() > deadline) return body.status
      await sleep(200)
    }
  }

  const state = (): Promise<PlayerState> =>
    page.evaluate(`(() => { const player = document.querySelector('${PLAYER}');
      return { currentTime: player.currentTime, duration: player.duration, width: player.videoWidth,
        height: player.videoHeight, error: player.error && player.error.message } })()`)

  /** Waits until the player has frames to show at its place. */
  const canShow = () =>
    page.waitForFunction(`(() => { const player = document.querySelector('${PLAYER}');
      if (player.error) throw new Error(player.error.message);
      return player.readyState >= 2 && !player.seeking })()`)

  const seek = async (seconds: number): Promise<PlayerState> => {
    await page.evaluate(`document.querySelector('${PLAYER}').currentTime = ${seconds}`)
    await canShow()
    return state()
  }

  /** Statuses and ranges of the answers with the file, in order. */
  const watchRanges = (): Array<[status: number, range: string | undefined]> => {
    const seen: Array<[number, string | undefined]> = []
    page.on('response', (response) => {
      if (response.url().includes('/content')) seen.push([response.status(), response.headers()['content-range']])
    })
    return seen
  }

  it.each<[string, 'mp4' | 'webm', boolean]>([
    ['an MP4 with its index first', 'mp4', true],
    ['an MP4 with its index at the end', 'mp4', false],
    ['a WebM', 'webm', true],
  ])('plays %s on a page of another origin, and seeks in it', async (_, extension, hasIndexFirst) => {
    const clip = makeClip({
      extension,
      seconds: PART_SECONDS,
      repeats: SECONDS / PART_SECONDS,
      megabits: 1,
      hasIndexFirst,
    })
    const links = await upload(`play-${hasIndexFirst}.${extension}`, clip)
    const ranges = watchRanges()
    await page.goto(site.put(`/${extension}-${hasIndexFirst}`, `<video src="${links.content}" autoplay muted></video>`))
    await canShow()
    await page.waitForFunction(`document.querySelector('${PLAYER}').currentTime > 0.5`)
    const playing = await state()
    expect([playing.width, playing.height, playing.error]).toEqual([320, 180, null])
    expect(Math.abs(playing.duration - SECONDS)).toBeLessThan(0.5)
    await page.evaluate(`document.querySelector('${PLAYER}').pause()`)
    for (const place of [SECONDS / 2, SECONDS - 1, 1]) {
      expect(Math.abs((await seek(place)).currentTime - place)).toBeLessThan(0.2)
    }
    expect(ranges.length).toBeGreaterThan(0)
    expect(ranges.filter(([status]) => status !== 206)).toEqual([])
    expect(ranges[0]?.[1]).toBe(`bytes 0-${clip.length - 1}/${clip.length}`)
    expect(troubles).toEqual([])
  })

  it('reads the far end of a long file without what lies between', async () => {
    const clip = makeClip({ extension: 'mp4', seconds: PART_SECONDS, repeats: 10, megabits: 8 })
    const links = await upload('long.mp4', clip)
    const ranges = watchRanges()
    await page.goto(site.put('/long', `<video src="${links.content}" preload="metadata"></video>`))
    await canShow()
    expect(Math.abs((await seek(58)).currentTime - 58)).toBeLessThan(0.2)
    const starts = ranges.map(([, range]) => Number(/^bytes (\d+)-/.exec(range ?? '')?.[1]))
    expect(starts[0]).toBe(0)
    expect(Math.max(...starts)).toBeGreaterThan(clip.length / 2)
    expect(troubles).toEqual([])
  })

  it('shows the pictures that were made of it', async () => {
    const { thumbnail, screenshots } = await upload('pictures.mp4', makeClip({ extension: 'mp4', seconds: 4 }))
    expect(screenshots).toHaveLength(3)
    const pictures = [thumbnail, ...screenshots]
    await page.goto(site.put('/pictures', pictures.map((url) => `<img src="${url}">`).join('')))
    await page.waitForFunction('[...document.images].every((image) => image.complete)')
    expect(await page.evaluate('[...document.images].map(({ naturalWidth: w, naturalHeight: h }) => [w, h])')).toEqual(
      pictures.map(() => [320, 180]),
    )
    expect(troubles).toEqual([])
  })

  it('shows it when the link itself is opened as a page', async () => {
    const links = await upload('tab.webm', makeClip({ extension: 'webm', seconds: 2 }))
    await page.goto(links.content)
    await canShow()
    expect(await state()).toMatchObject({ width: 320, height: 180, error: null })
    expect(troubles).toEqual([])
  })

  it('lets a page of an allowed origin take pictures of it, and no other page', async () => {
    const links = await upload('canvas.webm', makeClip({ extension: 'webm', seconds: 3 }))
    const html = `<video src="${links.content}" crossorigin="anonymous" preload="auto"></video>`
    await page.goto(site.put('/canvas', html))
    await canShow()
    expect(
      await page.evaluate(`(() => { const canvas = document.createElement('canvas');
        canvas.getContext('2d').drawImage(document.querySelector('${PLAYER}'), 0, 0);
        return canvas.toDataURL('image/png').length })()`),
    ).toBeGreaterThan(1000)
    expect(troubles).toEqual([])
    await page.goto(site.put('/canvas', html).replace('localhost', '127.0.0.1'))
    await page.waitForFunction(`document.querySelector('${PLAYER}').error !== null`)
    expect(troubles.join()).toContain('CORS policy')
  })
})
