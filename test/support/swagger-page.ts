import type { Browser, Locator, Page } from 'playwright-core'

/** What Swagger UI shows after a call. */
export interface ShownAnswer {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: what the JSON of an answer holds is for the test to say
  readonly json: any
}

/** What a person fills in before they press Execute. */
export interface Filled {
  readonly body?: unknown
  /** By name, as text. */
  readonly parameters?: Readonly<Record<string, string>>
}

/** Swagger UI as a person uses it: by what can be seen and clicked. */
export class SwaggerPage {
  private constructor(readonly page: Page) {}

  static async open(browser: Browser, url: string): Promise<SwaggerPage> {
    const page = await browser.newPage()
    await page.goto(`${url}/docs`)
    await page.locator('.opblock').first().waitFor()
    return new SwaggerPage(page)
  }

  /** Opens the operation, presses Try it out, fills in what is given over the examples, presses Execute, and reads the answer. */
  async try(operationId: string, { body, parameters = {} }: Filled = {}): Promise<ShownAnswer> {
    const operation = await this.operation(operationId)
    for (const [name, value] of Object.entries(parameters)) {
      await operation.locator(`tr[data-param-name="${name}"] :is(input, select, textarea)`).first().fill(value)
    }
    if (body !== undefined) await operation.locator('textarea.body-param__text').fill(JSON.stringify(body))
    const clear = operation.locator('button.btn-clear')
    if ((await clear.count()) > 0) await clear.click()
    await operation.locator('button.execute').click()
    const answer = operation.locator('.live-responses-table .response').first()
    const status = Number(await answer.locator('.response-col_status').innerText())
    const shown = answer.locator('.highlight-code code').first()
    return { status, json: (await shown.count()) === 0 ? undefined : JSON.parse(await shown.innerText()) }
  }

  /** Puts a token into Authorize. @param scheme `user` or `device` */
  async authorize(scheme: string, token: string): Promise<void> {
    await this.page.locator('.auth-wrapper .authorize').first().click()
    const form = this.page.locator('.dialog-ux .auth-container', {
      has: this.page.locator('h4', { hasText: new RegExp(`^${scheme}\\b`) }),
    })
    await form.locator('input').fill(token)
    await form.locator('button.authorize').click()
    await this.page.locator('.dialog-ux .btn-done').first().click()
  }

  private async operation(operationId: string): Promise<Locator> {
    const operation = this.page.locator(`.opblock[id$="-${operationId}"]`)
    if (!(await operation.evaluate((element) => element.classList.contains('is-open')))) {
      await operation.locator('.opblock-summary-control').click()
    }
    const tryOut = operation.locator('button.try-out__btn:not(.cancel)')
    if ((await tryOut.count()) > 0) await tryOut.click()
    return operation
  }
}
