/** What a request to a stranger costs its sender (docs/messenger.md, "Requests"). */
import { digest, utf8, viewOf } from '@mainframe/protocol'

/** Leading zero bits of the hash: some 65,000 tries, a tenth of a second natively, one in a browser. */
const REQUEST_BITS = 16
const NONCE_BYTES = 8
/** Tries before others have a turn. */
const TRIES_PER_TURN = 1_000

/** Terms of a request, and whom it is for: a proof serves for no other recipient. */
export interface Work {
  recipient: Uint8Array
  terms: Uint8Array
}

/** The first nonce that fits. Rejects with the signal's reason when it is aborted. */
export async function findNonce(work: Work, signal?: AbortSignal): Promise<Uint8Array> {
  const subject = subjectOf(work)
  const nonce = new Uint8Array(NONCE_BYTES)
  for (let tries = 0; ; tries++) {
    viewOf(nonce).setUint32(NONCE_BYTES - 4, tries)
    if (fits(subject, nonce)) return nonce
    if (tries % TRIES_PER_TURN === 0) {
      await new Promise((resolve) => setTimeout(resolve, 0))
      signal?.throwIfAborted()
    }
  }
}

/** One hash. */
export function isWorkDone(work: Work, nonce: Uint8Array): boolean {
  return nonce.length === NONCE_BYTES && fits(subjectOf(work), nonce)
}

function subjectOf({ recipient, terms }: Work): Uint8Array {
  return digest(utf8('mainframe/request/1'), recipient, terms)
}

function fits(subject: Uint8Array, nonce: Uint8Array): boolean {
  return viewOf(digest(subject, nonce)).getUint32(0) >>> (32 - REQUEST_BITS) === 0
}
