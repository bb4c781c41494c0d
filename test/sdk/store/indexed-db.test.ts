import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Browser, Page } from 'puppeteer-core'
import { bundle, launchBrowser, openPage, servePage, whenChromium } from '../support/browser.ts'
import type { StorePage } from '../support/store-page.ts'

declare const page: StorePage

describe('indexedDbStore in a browser', whenChromium, () => {
  let folder: string
  let server: { url: string; stop(): Promise<void> }
  let browser: Browser
  let tab: Page

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sdk-browser-'))
    server = await servePage(await bundle('store-page.ts'))
    browser = await launchBrowser(folder)
    tab = await openPage(browser, server.url)
  })
  after(async () => {
    await browser?.close()
    await server?.stop()
    await rm(folder, { recursive: true, maxRetries: 5, retryDelay: 200 })
  })

  it('is refused to another tab while one has it, and free when that one is closed', async () => {
    const other = await openPage(browser, server.url)
    assert.equal(await other.evaluate(() => page.open('shared')), 'none')
    assert.equal(await tab.evaluate(() => page.open('shared')), 'STORE_LOCKED')
    assert.equal(await tab.evaluate(() => page.open('another')), 'none')
    await other.close()
    const deadline = Date.now() + 5_000
    let code = 'STORE_LOCKED'
    while (code !== 'none' && Date.now() < deadline) {
      code = await tab.evaluate(() => page.open('shared'))
    }
    assert.equal(code, 'none')
  })

  it('takes no key that is none, says when it is closed, and that there are no folders', async () => {
    const codes = await tab.evaluate(async () => {
      await page.open('codes')
      const wrong = await page.set('codes', '../x', '1')
      const upper = await page.set('codes', 'UPPER', '1')
      await page.close('codes')
      return [wrong, upper, await page.fileStore()]
    })
    assert.deepEqual(codes, ['VALIDATION_FAILED', 'VALIDATION_FAILED', 'CONFIG_INVALID'])
  })

  it('keeps values across tabs, and lists them by what their keys begin with', async () => {
    const first = await openPage(browser, server.url)
    await first.evaluate(async () => {
      await page.open('kept')
      for (const key of ['a', 'b.1', 'b.2', 'c']) await page.set('kept', key, `value of ${key}`)
      await page.set('kept', 'b.1', 'newer')
      await page.delete('kept', 'c')
      await page.close('kept')
    })
    await first.close()
    const found = await tab.evaluate(async () => {
      await page.open('kept')
      const lists = [await page.list('kept', ''), await page.list('kept', 'b.')]
      const values = [await page.get('kept', 'b.1'), await page.get('kept', 'c')]
      return { lists, values: values.map((value) => value ?? null) }
    })
    assert.deepEqual(found.lists, [
      ['a', 'b.1', 'b.2'],
      ['b.1', 'b.2'],
    ])
    assert.deepEqual(found.values, ['newer', null])
  })

  it('is encrypted under a passphrase at its full cost, within seconds', async () => {
    const outcome = await tab.evaluate(async () => {
      const codes = [await page.open('secret', 'sesame')]
      await page.set('secret', 'a', 'value')
      await page.close('secret')
      codes.push(await page.open('secret', 'open it'), await page.open('secret', 'sesame'))
      return { codes, value: await page.get('secret', 'a') }
    })
    assert.deepEqual(outcome, { codes: ['none', 'STORE_PASSPHRASE', 'none'], value: 'value' })
  })

  it('has what it said was durable after the browser was killed in the midst of writing', async () => {
    let told = 0
    const enough = Promise.withResolvers<void>()
    await tab.exposeFunction('tell', (number: number) => {
      told = number
      if (number === 40) enough.resolve()
    })
    await tab.evaluate(async () => {
      await page.open('killed')
      const { tell } = globalThis as unknown as { tell(number: number): void }
      void page.count('killed', tell)
    })
    await enough.promise
    const child = browser.process()
    assert.ok(child)
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
    browser = await launchBrowser(folder)
    tab = await openPage(browser, server.url)
    const value = await tab.evaluate(async () => {
      await page.open('killed')
      return await page.get('killed', 'counter')
    })
    assert.match(value ?? '', /^\d+ x{1000}$/)
    assert.ok(Number.parseInt(value ?? '', 10) >= told, `${value?.slice(0, 8)} after ${told}`)
  })
})
