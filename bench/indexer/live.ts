/** From a new block at the RPC to a subscriber of the indexer's event stream. */
import type { Child } from '../world/child.ts'
import { preciseNowMs, quantile, rounded } from '../world/statistics.ts'

const BLOCKS = 40
const SPACING_MS = 250

/** 95th percentile in milliseconds, over {@link BLOCKS} blocks of 50 events. */
export async function headToSubscriberP95(chain: Child, url: string): Promise<number> {
  const abort = new AbortController()
  const response = await fetch(`${url}/v1/events`, { signal: abort.signal })
  if (!response.ok || !response.body) throw new Error('The indexer gives no event stream')
  const arrived = new Map<number, number>()
  const waiting = new Map<number, () => void>()
  const reading = (async () => {
    let rest = ''
    for await (const text of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const messages = (rest + text).split('\n\n')
      rest = messages.pop() ?? ''
      for (const message of messages) {
        const number = Number(/"toBlock":(\d+)/.exec(message)?.[1])
        if (!Number.isFinite(number)) continue
        arrived.set(number, preciseNowMs())
        waiting.get(number)?.()
      }
    }
  })().catch(() => undefined)
  const times: number[] = []
  for (let i = 0; i < BLOCKS; i++) {
    chain.send('mine')
    const { number, at } = (await chain.next('mined')) as unknown as { number: number; at: number }
    if (!arrived.has(number)) {
      await new Promise<void>((resolve) => waiting.set(number, resolve))
    }
    times.push((arrived.get(number) ?? Number.NaN) - at)
    await new Promise((resolve) => setTimeout(resolve, SPACING_MS * Math.random()))
  }
  abort.abort()
  await reading
  return rounded(quantile(times, 0.95), 0)
}
