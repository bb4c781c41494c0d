/** What a member-to-be hands out so that others can add it. */
import { concatBytes, equalBytes, viewOf } from '@mainframe/protocol'
import type { KeyPackage, PrivateKeyPackage } from 'ts-mls'
import { generateKeyPackageWithKey, verifyKeyPackage } from 'ts-mls/keyPackage.js'
import { verifyLeafNodeSignatureKeyPackage } from 'ts-mls/leafNode.js'
import { defaultLifetime } from 'ts-mls/lifetime.js'
import { decodeMlsMessage, encodeMlsMessage } from 'ts-mls/message.js'
import { SUITES } from './ciphersuite.ts'
import type { Identity } from './identity.ts'
import { GROUP_EXTENSION, inboxKeyOf, type Mls } from './suites.ts'

/** A key package and what belongs to it. One is for one conversation. */
export interface OwnKeyPackage {
  /** To be handed out. */
  keyPackage: Uint8Array
  /** To be kept, and erased once the conversation was joined. */
  secrets: Uint8Array
}

/** Who stands behind a key package. */
export interface KeyPackageOwner {
  inboxKey: Uint8Array
  signatureKey: Uint8Array
}

/** Longest key package that is looked at, in bytes; one of X-Wing has about 2,700. */
export const MAX_KEY_PACKAGE_BYTES = 8192

/** A fresh key package. It has no end of life: whoever keeps it decides how long it serves. */
export async function createKeyPackage(mls: Mls, identity: Identity): Promise<OwnKeyPackage> {
  const { publicPackage, privatePackage } = await generateKeyPackageWithKey(
    { credentialType: 'basic', identity: identity.inboxKey },
    {
      versions: ['mls10'],
      ciphersuites: [SUITES[mls.suite]],
      extensions: [GROUP_EXTENSION],
      proposals: [],
      credentials: ['basic'],
    },
    defaultLifetime,
    [],
    { signKey: identity.signatureSecret, publicKey: identity.signatureKey },
    mls.impl,
  )
  return {
    keyPackage: encodeMlsMessage({
      version: 'mls10',
      wireformat: 'mls_key_package',
      keyPackage: publicPackage,
    }),
    secrets: encodeSecrets(privatePackage),
  }
}

/**
 * Whose key package this is; `undefined` when it has no valid form or signature, is for another
 * ciphersuite, or is not believed to be its owner's.
 */
export async function readKeyPackage(
  mls: Mls,
  bytes: Uint8Array,
): Promise<KeyPackageOwner | undefined> {
  try {
    const keyPackage = decodeKeyPackage(bytes)
    return keyPackage && (await isValid(mls, keyPackage)) ? ownerOf(keyPackage) : undefined
  } catch {
    return undefined
  }
}

function ownerOf({ leafNode }: KeyPackage): KeyPackageOwner | undefined {
  const inboxKey = inboxKeyOf(leafNode.credential)
  return inboxKey && { inboxKey, signatureKey: leafNode.signaturePublicKey }
}

async function isValid(mls: Mls, keyPackage: KeyPackage): Promise<boolean> {
  const { leafNode } = keyPackage
  const { signature } = mls.impl
  return (
    keyPackage.cipherSuite === SUITES[mls.suite] &&
    leafNode.capabilities.extensions.includes(GROUP_EXTENSION) &&
    leafNode.capabilities.credentials.includes('basic') &&
    !equalBytes(keyPackage.initKey, leafNode.hpkePublicKey) &&
    (await verifyKeyPackage(keyPackage, signature)) &&
    (await verifyLeafNodeSignatureKeyPackage(leafNode, signature)) &&
    (await mls.config.authService.validateCredential(
      leafNode.credential,
      leafNode.signaturePublicKey,
    ))
  )
}

/** For the folder `mls`: the form of ts-mls. May throw on bad bytes. */
export function decodeKeyPackage(bytes: Uint8Array): KeyPackage | undefined {
  if (bytes.length > MAX_KEY_PACKAGE_BYTES) return undefined
  const [message, length] = decodeMlsMessage(bytes, 0) ?? []
  if (message?.wireformat !== 'mls_key_package' || length !== bytes.length) return undefined
  return message.keyPackage
}

function encodeSecrets(secrets: PrivateKeyPackage): Uint8Array {
  const parts = [secrets.initPrivateKey, secrets.hpkePrivateKey, secrets.signaturePrivateKey]
  return concatBytes(
    ...parts.flatMap((part) => [Uint8Array.of(part.length >> 8, part.length & 0xff), part]),
  )
}

/** For the folder `mls`: three keys, each after its length as u16. */
export function decodeSecrets(bytes: Uint8Array): PrivateKeyPackage | undefined {
  const parts: Uint8Array[] = []
  let offset = 0
  while (offset + 2 <= bytes.length && parts.length < 3) {
    const length = viewOf(bytes).getUint16(offset)
    parts.push(bytes.slice(offset + 2, offset + 2 + length))
    offset += 2 + length
  }
  const [initPrivateKey, hpkePrivateKey, signaturePrivateKey] = parts
  if (!signaturePrivateKey || !hpkePrivateKey || !initPrivateKey || offset !== bytes.length) {
    return undefined
  }
  return { initPrivateKey, hpkePrivateKey, signaturePrivateKey }
}
