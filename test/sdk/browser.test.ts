import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { startTestNetwork, type TestNetwork } from '@mainframe/localnet/testing'
import type { Messenger, MessengerEvent, NetworkOptions } from '@mainframe/sdk'
import type { Browser, Page } from 'puppeteer-core'
import { within } from '../e2e/support/waiting.ts'
import { whenLong } from '../helpers/long.ts'
import { bundle, launchBrowser, openPage, servePage, whenChromium } from './support/browser.ts'
import type { MessengerPage } from './support/messenger-page.ts'

declare const page: MessengerPage

describe('A client in a browser', whenChromium.skip ? whenChromium : whenLong, () => {
  let folder: string
  let network: TestNetwork
  let server: { url: string; stop(): Promise<void> }
  let browser: Browser
  let tab: Page
  let options: { network: NetworkOptions; account: string; store: string }
  /** In Node. */
  let bob: Messenger
  const events: MessengerEvent[] = []
  let wake = Promise.withResolvers<void>()

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sdk-browser-'))
    server = await servePage(await bundle('messenger-page.ts'))
    network = await startTestNetwork({ webSocket: true })
    const account = await network.createAccount()
    options = { network: network.network, account, store: 'alice' }
    bob = await (await network.open()).messenger()
    bob.on((event) => {
      events.push(event)
      wake.resolve()
      wake = Promise.withResolvers()
    })
    browser = await launchBrowser(folder)
    tab = await openPage(browser, server.url)
  })
  after(async () => {
    await browser?.close()
    await server?.stop()
    await network?.stop()
    if (folder) await rm(folder, { recursive: true, maxRetries: 5, retryDelay: 200 })
  })

  async function until(what: string, fits: (event: MessengerEvent) => boolean) {
    const waiting = async () => {
      while (!events.some(fits)) await wake.promise
    }
    await within(what, waiting())
  }

  const hears = (text: string) =>
    until(`Bob hears "${text}"`, (event) => {
      return event.type === 'message' && new TextDecoder().decode(event.message.body) === text
    })

  it('asks to be a contact by way of WebSocket, is accepted, and both talk', async () => {
    const alice = await tab.evaluate((given) => page.open(given), options)
    await tab.evaluate((code) => page.request(code, 'Alice, in a browser'), bob.code)
    await until('Bob is asked', ({ type }) => type === 'contact')
    assert.equal(bob.contacts.get(alice)?.introduction, 'Alice, in a browser')
    await bob.contacts.accept(alice)
    await within(
      'Alice is accepted',
      tab.evaluate((code) => page.accepted(code), bob.code),
    )
    const id = await tab.evaluate((code) => page.say(code, 'hello from a page'), bob.code)
    await hears('hello from a page')
    await within(
      'the page knows that it is there',
      tab.evaluate((sent) => page.delivered(sent), id),
    )
    await bob.conversationWith(alice)?.send('hello from Node')
    await within(
      'the page hears it',
      tab.evaluate(() => page.hears('hello from Node')),
    )
  })

  it('finds its conversations again in another tab, and goes on', async () => {
    await tab.evaluate(() => page.close())
    await tab.close()
    tab = await openPage(browser, server.url)
    await tab.evaluate((given) => page.open(given), options)
    const texts = await tab.evaluate((code) => page.texts(code), bob.code)
    assert.deepEqual(texts, ['hello from a page', 'hello from Node'])
    await tab.evaluate((code) => page.say(code, 'back again'), bob.code)
    await hears('back again')
  })
})
