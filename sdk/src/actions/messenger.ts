import { decodeContactCode, encodeContactCode } from '@mainframe/protocol'
import type { ClientContext } from '../context.ts'
import { CONVERSATION_TIMES } from '../conversations/limits.ts'
import type { Carrier } from '../messenger/carrier.ts'
import { Messenger } from '../messenger/messenger.ts'
import type { SuiteName } from '../mls/ciphersuite.ts'
import { publish } from './publish.ts'
import { send } from './send.ts'

/** How the messenger of a client is opened. */
export interface MessengerParameters {
  /**
   * Ciphersuite of conversations: `xwing`, X25519 with ML-KEM-768, unless given; `x25519` is smaller
   * and quicker. Both sides must have the same.
   */
  suite?: SuiteName
}

/** Opens the contacts and conversations of a client. Throws `STORE_CORRUPT`. */
export function openMessenger(
  context: ClientContext,
  { suite = 'xwing' }: MessengerParameters,
): Promise<Messenger> {
  const { store, clock, random, settings } = context
  // who acknowledges at once hides nothing in time, in conversations neither
  const times = CONVERSATION_TIMES[settings.ackDelayMs === 0 ? 'local' : 'standard']
  return Messenger.open({ carrier: carrierOf(context), store, clock, random, times, suite })
}

function carrierOf(context: ClientContext): Carrier {
  const { keyPair, receiver, groups } = context
  return {
    inboxKey: keyPair.publicKey,
    send: (to, bytes) => send(context, { to: encodeContactCode(to), bytes }),
    publish: (to, bytes) => publish(context, { to, bytes }),
    onMessage: (handler) =>
      receiver.handle(({ from, bytes }) => handler({ from: decodeContactCode(from), bytes })),
    listen: (group) => groups.listen(group),
    rekey: (id, keys) => groups.rekey(id, keys),
    leave: (id) => groups.leave(id),
  }
}
