/// <reference lib="dom" />
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Browser, Page } from 'puppeteer-core'
import puppeteer from 'puppeteer-core'
import { PGLITE } from './databases.ts'
import { until } from './harness.ts'
import { mineRelays, type Rig, startRig } from './rig.ts'

const folders = (process.env['PATH'] ?? '').split(delimiter)
const chromium = folders.map((folder) => join(folder, 'chromium')).find((path) => existsSync(path))
/** Where to leave pictures of the page, for somebody to look at. */
const pictures = process.env['PAGE_PICTURES']

describe('the page for people', { skip: chromium ? false : 'no chromium on the PATH' }, () => {
  let rig: Rig
  let browser: Browser
  let page: Page
  const complaints: string[] = []

  before(async () => {
    rig = await startRig(await PGLITE.settings(), (chain) => {
      const names = mineRelays(chain, 24)
      for (let i = 0; i < 12; i++) {
        const parties = { payer: `payer ${i}`, payee: `payee ${names[i]}` }
        chain.mine([{ type: 'open', channel: `channel ${i}`, ...parties, deposit: 10n ** 18n }])
      }
      chain.mine([{ type: 'claim', channel: 'channel 0', claimed: 10n ** 17n }])
    })
    browser = await puppeteer.launch({
      executablePath: chromium as string,
      // a container has no user namespaces to build a sandbox from
      args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
    })
    page = await browser.newPage()
    page.on('console', (message) => complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(String(error)))
  })
  after(async () => {
    await browser?.close()
    await rig?.stop()
  })

  const texts = (selector: string) =>
    page.$$eval(selector, (all) => all.map((one) => one.textContent ?? ''))
  const shows = (selector: string, pattern: RegExp) =>
    until(
      async () => (await texts(selector)).some((text) => pattern.test(text)),
      `${pattern} shows`,
    )

  async function picture(name: string): Promise<void> {
    if (pictures) await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true })
  }

  for (const [device, width, height] of [
    ['a desk', 1280, 900],
    ['a phone', 360, 740],
  ] as const) {
    for (const scheme of ['light', 'dark'] as const) {
      it(`shows the network on ${device} in ${scheme}, without scrolling sideways`, async () => {
        await page.setViewport({ width, height })
        await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
        await page.goto(rig.indexer.url)
        await shows('#state', new RegExp(`Block ${rig.chain.head.number}`))
        assert.equal((await page.$$('#ring .relay')).length, 24)
        assert.equal((await texts('#relays tr')).length, 24)
        assert.match((await texts('#figures')).join(), /Open channels12/)
        assert.match((await texts('#relays')).join(), /0\.1/)
        const [wide, hidden, background] = await page.evaluate(() => {
          const table = document.querySelector('.wide')
          return [
            document.documentElement.scrollWidth,
            (table?.scrollWidth ?? 0) - (table?.clientWidth ?? 0),
            getComputedStyle(document.body).backgroundColor,
          ]
        })
        assert.ok(Number(wide) <= width, `${wide} pixels wide`)
        assert.equal(hidden, 0, 'pixels of the table cannot be seen')
        assert.equal(background, scheme === 'light' ? 'rgb(251, 251, 248)' : 'rgb(20, 23, 26)')
        await picture(`${device.split(' ')[1]}-${scheme}`)
      })
    }
  }

  it('can be read and used without a mouse or eyes', async () => {
    const tree = JSON.stringify(await page.accessibility.snapshot())
    assert.match(tree, /24 relays on a ring; the table lists them/)
    assert.equal(await page.$eval('html', (html) => html.lang), 'en')
    await page.focus('#relays button')
    await page.keyboard.press('Enter')
    await shows('#chosen', /MFT staked/)
    assert.equal((await page.$$('#ring .chosen')).length, 1)
    const unnamed = await page.$$eval(
      'button, a',
      (all) => all.filter((one) => !one.textContent?.trim()).length,
    )
    assert.equal(unnamed, 0)
  })

  it('follows the chain live, and says what was dropped', async () => {
    const dropped = rig.chain.mine([{ type: 'register', node: 'newcomer' }])
    rig.chain.mine()
    await until(async () => (await page.$$('#ring .relay')).length === 25, 'the newcomer shows')
    rig.chain.cut(2)
    for (let i = 0; i < 3; i++) rig.chain.mine()
    await shows('#dropped', new RegExp(dropped.hash.slice(0, 8)))
    assert.equal((await page.$$('#ring .relay')).length, 24)
    await picture('reorganised')
  })

  it('breaks none of its own rules, and asks nobody but the indexer', async () => {
    const response = await page.goto(`${rig.indexer.url}/network/`)
    const policy = response?.headers()['content-security-policy'] ?? ''
    assert.match(policy, /default-src 'none'/)
    assert.doesNotMatch(policy, /unsafe/)
    assert.deepEqual(complaints, [])
    const hosts = await page.evaluate(() =>
      performance.getEntriesByType('resource').map(({ name }) => new URL(name).origin),
    )
    assert.deepEqual([...new Set(hosts)], [rig.indexer.url])
  })

  it('says that the connection is lost when the indexer stops', async () => {
    await rig.stop()
    await shows('#state', /lost|No answer/)
    assert.ok(await page.$('#state.lost'))
  })
})
