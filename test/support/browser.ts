import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Browser, chromium, type Page } from 'playwright-core'

const { CHROMIUM_BIN = '' } = process.env

/** Added to the names of suites, so that it is seen why they were skipped. */
export const NEEDS_CHROMIUM = '(needs CHROMIUM_BIN: path of chromium)'

/** `describe`, where there is a browser. */
export const browserSuite = CHROMIUM_BIN === '' ? describe.skip : describe

/** Of a test in a browser that shares a busy machine; playwright itself gives up after 30 s of waiting for one thing. */
export const BROWSER_TEST_MS = 180_000

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM_BIN,
    // Chromium does not start its sandbox as root, which is what containers of CI run as. Muted, it plays without a click.
    args: ['--no-sandbox', '--autoplay-policy=no-user-gesture-required', '--mute-audio'],
  })
}

/** A web site of another origin: each path answers with the HTML that was put there, others with nothing. */
export class OtherSite {
  private readonly pages = new Map<string, string>()
  private readonly server: Server

  constructor() {
    this.server = createServer((request, response) => {
      const html = this.pages.get(request.url ?? '')
      // 204 to what browsers ask for by themselves, such as the site's icon: that is no trouble of the page.
      response.writeHead(html === undefined ? 204 : 200, { 'content-type': 'text/html; charset=utf-8' }).end(html)
    })
  }

  get origin(): string {
    return `http://localhost:${(this.server.address() as AddressInfo).port}`
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve))
  }

  /** @returns the page's URL */
  put(path: string, body: string): string {
    this.pages.set(path, `<!doctype html><title>console</title><body>${body}</body>`)
    return `${this.origin}${path}`
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.server.close(() => resolve())
      this.server.closeAllConnections()
    })
  }
}

/** What a page met that it should not: refusals of its policies, failed loads, errors of its scripts. */
export function troublesOf(page: Page): string[] {
  const troubles: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error') troubles.push(message.text())
  })
  page.on('pageerror', (error) => troubles.push(String(error)))
  return troubles
}
