import type { Browser } from 'playwright-core'
import { testImei } from '../support/api.js'
import { type RunningApp, startApp } from '../support/app.js'
import { BROWSER_TEST_MS, browserSuite, launchBrowser, NEEDS_CHROMIUM, troublesOf } from '../support/browser.js'
import { ADMIN_PASSWORD } from '../support/server-process.js'
import { SwaggerPage } from '../support/swagger-page.js'
import { removeTemporaryDirectories } from '../support/temporary-directory.js'

const IMEI = testImei(1)

jest.setTimeout(BROWSER_TEST_MS)

browserSuite(`Swagger UI as a person uses it ${NEEDS_CHROMIUM}`, () => {
  let running: RunningApp
  let browser: Browser
  let swagger: SwaggerPage
  let troubles: string[]

  beforeAll(async () => {
    running = await startApp({ DEVICE_ENROLMENT: 'open' })
    await running.api.loginDevice(IMEI)
    browser = await launchBrowser()
  })
  beforeEach(async () => {
    swagger = await SwaggerPage.open(browser, running.url)
    troubles = troublesOf(swagger.page)
  })
  afterEach(() => swagger.page.close())
  afterAll(async () => {
    await browser?.close()
    await running?.close()
    await removeTemporaryDirectories()
  })

  const logIn = async (): Promise<void> => {
    const login = await swagger.try('loginUser', { body: { username: 'admin', password: ADMIN_PASSWORD } })
    expect([login.status, login.json.user]).toEqual([200, { username: 'admin', role: 'admin' }])
    await swagger.authorize('user', login.json.accessToken)
  }

  it('logs in, takes the token once, and lists devices, alarms and videos', async () => {
    const before = await swagger.try('listDevices')
    expect([before.status, before.json.code]).toEqual([401, 'token_missing'])
    await logIn()
    const devices = await swagger.try('listDevices')
    expect(devices.status).toBe(200)
    expect(devices.json.items.map(({ deviceId }: { deviceId: string }) => deviceId)).toEqual([IMEI])
    for (const operationId of ['listAlarms', 'listVideos']) {
      const { status, json } = await swagger.try(operationId)
      expect([operationId, status, json]).toEqual([operationId, 200, { items: [], nextCursor: null }])
    }
    // The browser tells of the one call that was made to be refused.
    expect(troubles).toEqual(['Failed to load resource: the server responded with a status of 401 (Unauthorized)'])
  })

  it('sends a truck a reset and shows what becomes of it', async () => {
    await logIn()
    const sent = await swagger.try('sendCommand', {
      parameters: { deviceId: IMEI, Prefer: '' },
      body: { type: 'RESET' },
    })
    expect([sent.status, sent.json.type, sent.json.status]).toEqual([202, 'RESET', 'queued'])
    const shown = await swagger.try('getCommand', { parameters: { id: sent.json.id } })
    expect([shown.status, shown.json.id, shown.json.createdBy]).toEqual([200, sent.json.id, 'admin'])
    expect(troubles).toEqual([])
  })

  it('keeps the token over a reload, so that it is put in once', async () => {
    await logIn()
    await swagger.page.reload()
    await swagger.page.locator('.opblock').first().waitFor()
    const me = await swagger.try('getMe')
    expect([me.status, me.json]).toEqual([200, { username: 'admin', role: 'admin' }])
  })
})
