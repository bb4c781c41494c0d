import { type ErrorCode, errorCode, MainframeError } from '@mainframe/protocol'
import { sleep, systemClock } from '../clock.ts'
import type { ClientContext } from '../context.ts'

/** A part of what a client needs. */
export type HealthPart = 'chain' | 'indexer' | 'entry' | 'subscriptions' | 'budget' | 'store'

/** Something that keeps a client from doing its work. */
export interface HealthReason {
  part: HealthPart
  code: ErrorCode
  /** One sentence that says what to do. */
  message: string
}

/** Whether a client can do its work. */
export interface Health {
  /** Whether there is no reason. */
  ok: boolean
  reasons: HealthReason[]
}

type HealthContext = Pick<
  ClientContext,
  'chain' | 'directory' | 'entry' | 'inbox' | 'groups' | 'channels' | 'store' | 'settings'
>

/** How long the chain and the store may take. */
const TIMEOUT_MS = 5_000
const KEY = 'health'

/** Asks the chain, the indexers unless they were asked lately, and the store. Never rejects. */
export async function health(context: HealthContext): Promise<Health> {
  const { chain, directory, channels, store } = context
  const indexer = async () => {
    await directory.fresh()
    if (directory.trouble !== undefined) throw directory.trouble
  }
  const entry = async () => {
    const { trouble } = context.entry
    // the budget is a part of its own
    if (trouble !== undefined && errorCode(trouble) !== 'PAYMENT_BUDGET') throw trouble
  }
  const found = await Promise.all([
    check('chain', () => chain.latest()),
    check('indexer', indexer),
    check('entry', entry),
    check('subscriptions', async () => assertDelivered(context)),
    check('budget', () => channels.budget.assertLeft()),
    check('store', () => store.set(KEY, new Uint8Array(0))),
  ])
  const reasons = found.filter((reason) => reason !== undefined)
  return { ok: reasons.length === 0, reasons }
}

async function check(
  part: HealthPart,
  ask: () => Promise<unknown>,
): Promise<HealthReason | undefined> {
  const ended = new AbortController()
  try {
    await Promise.race([ask(), tooLate(ended.signal)])
    return undefined
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return { part, code: errorCode(error) ?? 'INTERNAL', message }
  } finally {
    ended.abort()
  }
}

async function tooLate(signal: AbortSignal): Promise<never> {
  await sleep(systemClock, TIMEOUT_MS, signal)
  throw new MainframeError('NETWORK_TIMEOUT', 'There was no answer in time; try again')
}

/** Each inbox has as many relays as it should, and is connected to them. */
function assertDelivered({ inbox, groups, settings }: HealthContext): void {
  const all = [{ id: undefined, relays: inbox.relays }, ...groups.states]
  const wanted = settings.subscriptions
  const isServed = ({ relays }: Pick<typeof inbox, 'relays'>) =>
    relays.filter(({ state }) => state === 'current' || state === 'replaying').length >= wanted
  const lacking = all.filter((each) => !isServed(each))
  if (lacking.length === 0) return
  throw new MainframeError(
    'NETWORK_NO_RELAY',
    `Inboxes without ${wanted} relays that deliver: ${lacking.length} of ${all.length}; ` +
      'a client that has just started needs a while; otherwise check your connection',
    { retryable: true },
  )
}
