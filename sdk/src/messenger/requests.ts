/** Requests to be a contact: written, and looked at (docs/messenger.md, "Requests"). */
import { equalBytes } from '@mainframe/protocol'
import { sign, verify } from '../mls/identity.ts'
import { createKeyPackage, type KeyPackageOwner, readKeyPackage } from '../mls/key-packages.ts'
import { randomBytes } from '../random.ts'
import { type RequestLetter, requestSubject, requestTerms } from './letter.ts'
import type { Parts } from './parts.ts'
import { findNonce, isWorkDone } from './proof-of-work.ts'

type Maker = Pick<Parts, 'mls' | 'identity'>

/** A request, and the secrets of its key package. Rejects with the signal's reason when it is aborted. */
export async function writeRequest(
  { mls, identity }: Maker,
  { recipient, introduction }: { recipient: Uint8Array; introduction: string },
  signal?: AbortSignal,
): Promise<{ letter: RequestLetter; secrets: Uint8Array }> {
  const { keyPackage, secrets } = await createKeyPackage(mls, identity)
  const challenge = randomBytes(32)
  const subject = requestSubject(recipient, { challenge, keyPackage })
  const signature = await sign(mls, identity.signatureSecret, subject)
  const asked = { challenge, signature, introduction, keyPackage }
  const nonce = await findNonce({ recipient, terms: requestTerms(asked) }, signal)
  return { letter: { kind: 'request', nonce, ...asked }, secrets }
}

/** Whose request it is, or what is wrong with it: the cheapest is looked at first. */
export async function readRequest(
  { mls, identity }: Maker,
  from: Uint8Array,
  letter: RequestLetter,
): Promise<KeyPackageOwner | 'no-work' | 'bad-key-package' | 'bad-signature'> {
  const recipient = identity.inboxKey
  if (!isWorkDone({ recipient, terms: requestTerms(letter) }, letter.nonce)) return 'no-work'
  // whoever has another key than before is not believed yet, and heard all the same
  const config = { ...mls.config, authService: { validateCredential: async () => true } }
  const owner = await readKeyPackage({ ...mls, config }, letter.keyPackage)
  if (!owner || !equalBytes(owner.inboxKey, from)) return 'bad-key-package'
  const { signatureKey } = owner
  const { signature } = letter
  const isSigned = await verify(mls, {
    signatureKey,
    signature,
    text: requestSubject(recipient, letter),
  })
  return isSigned ? owner : 'bad-signature'
}
