/** People who write to each other, one message at a time each, until all are acknowledged. */
import { randomBytes } from 'node:crypto'
import { errorCode } from '@mainframe/protocol'
import type { Mainframe } from '@mainframe/sdk'

export interface TrafficOptions {
  clients: readonly Mainframe[]
  messages: number
  tell: (progress: string) => void
}

const MESSAGE_BYTES = 200
/** Longer than retries on a busy machine take. */
const TIMEOUT_MS = 300_000
const REPORTS = 20

/** How many messages were acknowledged by those they were for. */
export async function converse({ clients, messages, tell }: TrafficOptions): Promise<number> {
  let delivered = 0
  let done = 0
  const finish = (isDelivered: boolean) => {
    done += 1
    if (isDelivered) delivered += 1
    if (done % Math.ceil(messages / REPORTS) === 0) tell(`${done} of ${messages} messages`)
  }
  for (const client of clients) client.onMessage(() => {})
  await Promise.all(
    clients.map(async (client, place) => {
      for (let number = place; number < messages; number += clients.length) {
        finish(await deliver(client, recipientOf(clients, place, number)))
      }
    }),
  )
  return delivered
}

/** Everybody writes to all others in turn. */
function recipientOf(clients: readonly Mainframe[], place: number, number: number): Mainframe {
  const step = 1 + (Math.floor(number / clients.length) % (clients.length - 1))
  const recipient = clients[(place + step) % clients.length]
  if (!recipient) throw new TypeError('It takes two to converse')
  return recipient
}

async function deliver(from: Mainframe, to: Mainframe): Promise<boolean> {
  const bytes = Uint8Array.from(randomBytes(MESSAGE_BYTES))
  const sent = await from.send(to.contactCode, bytes, { timeoutMs: TIMEOUT_MS })
  try {
    await sent.delivered
    return true
  } catch (error) {
    if (errorCode(error) !== 'MESSAGE_UNDELIVERED') throw error
    return false
  }
}
