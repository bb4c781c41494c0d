/** A packet that is not ours, in a browser. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  bundle,
  launchBrowser,
  openPage,
  servePage,
  whenChromium,
} from '../../test/sdk/support/browser.ts'
import { quantile } from '../world/statistics.ts'
import type { ForeignPage } from './foreign-page.ts'

declare const page: ForeignPage

const ROUNDS = { warmUp: 5, count: 25 }
/** What a relay delivers at once. */
const PACKETS = 200

/** Microseconds, each the median of rounds that take turns. */
export interface ForeignFigures {
  /** A packet that is for another key, from its delivery until the receiver is done with it. */
  receiveUs: number
  /** The same where the browser has no X25519 of its own. */
  aloneUs: number
}

/** `undefined` where there is no chromium on the PATH. */
export async function benchForeignPacket(): Promise<ForeignFigures | undefined> {
  if (whenChromium.skip) return undefined
  const folder = await mkdtemp(join(tmpdir(), 'mainframe-bench-'))
  const server = await servePage(await bundle('../../../bench/sdk/foreign-page.ts'))
  const browser = await launchBrowser(folder)
  try {
    const tab = await openPage(browser, server.url)
    const rounds = ROUNDS.warmUp + ROUNDS.count
    const times = await tab.evaluate((...args) => page.measure(...args), rounds, PACKETS)
    const median = (all: number[]) => quantile(all.slice(ROUNDS.warmUp), 0.5)
    return { receiveUs: median(times.receiveUs), aloneUs: median(times.aloneUs) }
  } finally {
    await browser.close()
    await server.stop()
    await rm(folder, { recursive: true, maxRetries: 5, retryDelay: 200 })
  }
}
