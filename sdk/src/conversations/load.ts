/** The history as it stands in the store. */
import type { Core } from './core.ts'
import { decodeMessage } from './message.ts'
import { readerOf } from './reader.ts'
import { SHELF_KEYS } from './shelf.ts'

/** Reads every message once. Two versions of one can be left by a crash: the higher one counts. */
export async function loadHistory(core: Core): Promise<void> {
  const { shelf, history, ports, id } = core
  for (const key of (await shelf.list(SHELF_KEYS.messages)).sort()) {
    const bytes = await shelf.get(key)
    const message = bytes && decodeMessage(id, bytes)
    if (!message) continue
    const before = history.get(message.id)
    history.add(message, ports.clock.now())
    if (before) await shelf.delete(SHELF_KEYS.message(before.lamport, before.id))
  }
}

/** Own messages that not everybody has. */
export async function loadOutgoing({ shelf, history, outgoing }: Core): Promise<void> {
  for (const key of await shelf.list(SHELF_KEYS.outgoings)) {
    const name = key.slice(SHELF_KEYS.outgoings.length)
    const record = await shelf.get(key)
    if (!record || !history.get(name)) {
      await shelf.delete(key)
      continue
    }
    const reader = readerOf(record)
    const isAccepted = reader.u8() === 1
    outgoing.set(name, { isAccepted, to: new Set(), sinceMs: reader.u48() })
  }
}
