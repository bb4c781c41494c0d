/** The secrets of a relay: `keys.json` in its data folder, readable by its owner alone. */
import { randomBytes } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import {
  createKeyPair,
  fromHex,
  type Hex,
  type KeyPair,
  MainframeError,
  secretKeyAccount,
  toHex,
  utf8,
} from '@mainframe/protocol'
import secp256k1 from 'secp256k1'
import { createDurably, diskFailure, isErrno } from '../storage/durable-file.ts'

/** Keys of a relay. All secrets are 32 bytes and stay in memory and in the key file. */
export interface RelayKeys {
  /** Ed25519 seed: libp2p identity, registration, quotes. */
  nodeSeed: Uint8Array
  nodeKey: Uint8Array
  /** X25519: packets for this relay are sealed to it. */
  sealKey: KeyPair
  /** secp256k1: manager, payee, payer and signer of vouchers. */
  hotSecret: Uint8Array
  hotAccount: Hex
}

const FILE_NAME = 'keys.json'
const SECRET_BYTES = 32
const SECRETS = ['nodeSeed', 'sealSecret', 'hotSecret'] as const
/** Permission bits of everybody but the owner. */
const OTHERS = 0o077

/** The keys of a data folder; makes new ones in a folder that has none. Errors as {@link loadKeys}. */
export async function createKeys(folder: string): Promise<RelayKeys> {
  const secrets = Object.fromEntries(SECRETS.map((name) => [name, toHex(newSecret())]))
  const content = utf8(`${JSON.stringify(secrets, null, 2)}\n`)
  await createDurably(join(folder, FILE_NAME), content).catch((cause: unknown) => {
    throw cause instanceof MainframeError ? cause : diskFailure(folder, cause)
  })
  return await loadKeys(folder)
}

/**
 * Reads the keys of a data folder. Throws `CONFIG_INVALID` when there are none or when others may
 * read them, `STORE_CORRUPT` when the file is not a key file.
 */
export async function loadKeys(folder: string): Promise<RelayKeys> {
  const path = join(folder, FILE_NAME)
  const secrets = parseSecrets(await readPrivate(path))
  if (!secrets) {
    throw new MainframeError(
      'STORE_CORRUPT',
      `${path} is not a key file: restore it from a backup; new keys would be another relay`,
      { details: { path } },
    )
  }
  const { publicKey } = await generateKeyPairFromSeed('Ed25519', secrets.nodeSeed)
  return {
    nodeSeed: secrets.nodeSeed,
    nodeKey: publicKey.raw,
    sealKey: createKeyPair(secrets.sealSecret),
    hotSecret: secrets.hotSecret,
    hotAccount: toHex(secretKeyAccount(secrets.hotSecret)),
  }
}

async function readPrivate(path: string): Promise<string> {
  try {
    const { mode } = await stat(path)
    if (mode & OTHERS) {
      const message = `${path} can be read by others; run "chmod 600 ${path}"`
      throw new MainframeError('CONFIG_INVALID', message, { details: { path } })
    }
    return await readFile(path, 'utf8')
  } catch (cause) {
    if (cause instanceof MainframeError) throw cause
    if (!isErrno(cause, 'ENOENT')) throw diskFailure(path, cause)
    throw new MainframeError('CONFIG_INVALID', `There is no key file ${path}`, { cause })
  }
}

/** Never puts any of the text into an error: it is secret. */
function parseSecrets(text: string): Record<(typeof SECRETS)[number], Uint8Array> | undefined {
  try {
    const parsed = JSON.parse(text) as Record<string, unknown>
    const [nodeSeed, sealSecret, hotSecret] = SECRETS.map((name) =>
      fromHex(String(parsed[name]), SECRET_BYTES),
    )
    if (!nodeSeed || !sealSecret || !hotSecret) return undefined
    return secp256k1.privateKeyVerify(hotSecret) ? { nodeSeed, sealSecret, hotSecret } : undefined
  } catch {
    return undefined
  }
}

/** 32 random bytes that also are a secp256k1 key, as all but one in 2^128 are. */
function newSecret(): Uint8Array {
  for (;;) {
    const secret = Uint8Array.from(randomBytes(SECRET_BYTES))
    if (secp256k1.privateKeyVerify(secret)) return secret
  }
}
