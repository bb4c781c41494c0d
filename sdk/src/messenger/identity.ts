import { concatBytes, equalBytes, MainframeError } from '@mainframe/protocol'
import { createIdentity, type Identity } from '../mls/identity.ts'
import type { Mls } from '../mls/suites.ts'
import type { Store } from '../store/store.ts'

const KEY = 'identity'
const KEY_BYTES = 32

/** Who we are to others: made at the first call, the same for the life of the store. Throws `STORE_CORRUPT`. */
export async function readOrCreateIdentity(
  mls: Mls,
  store: Store,
  inboxKey: Uint8Array,
): Promise<Identity> {
  const stored = await store.get(KEY)
  if (!stored) {
    const identity = await createIdentity(mls, inboxKey)
    await store.set(KEY, concatBytes(inboxKey, identity.signatureKey, identity.signatureSecret))
    return identity
  }
  const identity = {
    inboxKey: stored.slice(0, KEY_BYTES),
    signatureKey: stored.slice(KEY_BYTES, 2 * KEY_BYTES),
    signatureSecret: stored.slice(2 * KEY_BYTES),
  }
  if (identity.signatureSecret.length > 0 && equalBytes(identity.inboxKey, inboxKey))
    return identity
  const message =
    'The store holds the identity of another inbox; use the store that belongs to this one'
  throw new MainframeError('STORE_CORRUPT', message, { details: { key: KEY } })
}
