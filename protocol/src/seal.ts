/** Sealing and opening one layer of a packet (PROTOCOL.md §1.1). */

import { primitives } from '#primitives'
import { concatBytes, utf8, viewOf } from './bytes.ts'
import { createHpke, type HpkeContext } from './crypto/hpke.ts'
import type { KeyPair } from './crypto/primitives.ts'
import { TAG_BYTES } from './crypto/primitives.ts'
import { MainframeError } from './errors.ts'
import { CONTENT_BYTES } from './instruction.ts'
import { encodeHeader, HEADER_BYTES, type PacketHeader } from './packet.ts'

const INFO = utf8('mainframe/packet/1')
const KEY_BYTES = 32
const ENC_OFFSET = HEADER_BYTES
const LENGTH_OFFSET = ENC_OFFSET + KEY_BYTES
const SEALED_LENGTH_BYTES = 2 + TAG_BYTES
const CONTENT_OFFSET = LENGTH_OFFSET + SEALED_LENGTH_BYTES

/** Bytes that a layer adds to its content: header, encapsulated key, sealed length, tag. */
export const LAYER_OVERHEAD_BYTES = CONTENT_OFFSET + TAG_BYTES

const hpke = createHpke(primitives, INFO)

/** A new X25519 key pair, or the one of a 32-byte secret. */
export function createKeyPair(secretKey: Uint8Array = primitives.randomBytes(KEY_BYTES)): KeyPair {
  if (secretKey.length !== KEY_BYTES) {
    throw new MainframeError('CRYPTO_INVALID_KEY', 'An X25519 secret key is 32 bytes')
  }
  return { secretKey, publicKey: primitives.x25519PublicKey(secretKey) }
}

/** What {@link sealLayer} seals: a content of one of the four sizes, for one public key. */
export interface LayerInput {
  header: PacketHeader
  publicKey: Uint8Array
  content: Uint8Array
  /** For test vectors only; random otherwise. */
  ephemeralSecret?: Uint8Array
}

/** A sealed layer without padding: 105 bytes and the content. Throws `CRYPTO_INVALID_KEY`. */
export function sealLayer({ header, publicKey, content, ephemeralSecret }: LayerInput): Uint8Array {
  if (!CONTENT_BYTES.includes(content.length)) {
    throw new MainframeError('VALIDATION_FAILED', 'A content has one of four sizes')
  }
  const sender =
    publicKey.length === KEY_BYTES ? hpke.setupSender(publicKey, ephemeralSecret) : undefined
  if (!sender) throw new MainframeError('CRYPTO_INVALID_KEY', 'Not a usable X25519 public key')
  const aad = encodeHeader(header)
  const length = Uint8Array.of(content.length >> 8, content.length & 0xff)
  return concatBytes(
    aad,
    sender.enc,
    hpke.seal(sender.context, { sequence: 0, aad, text: length }),
    hpke.seal(sender.context, { sequence: 1, aad, text: content }),
  )
}

/**
 * The content of a packet if `keyPair` opens it. `unopened`: it is not for this key, which is the
 * common case and costs one DH and 18 bytes of AEAD. `damaged`: it is, but what follows is not
 * what was sealed or has no permitted size.
 */
export function openPacket(
  packet: Uint8Array,
  keyPair: KeyPair,
): Uint8Array | 'unopened' | 'damaged' {
  const context = hpke.setupReceiver(packetEnc(packet), keyPair)
  return context ? openWith(context, packet) : 'unopened'
}

/**
 * The same as {@link openPacket} for whoever has computed X25519 of the packet's encapsulated key and
 * the own one already, which takes most of the time; it is not all zeros.
 */
export function openAgreed(
  packet: Uint8Array,
  publicKey: Uint8Array,
  agreed: Uint8Array,
): Uint8Array | 'unopened' | 'damaged' {
  return openWith(hpke.receiverContext(agreed, packetEnc(packet), publicKey), packet)
}

function openWith(context: HpkeContext, packet: Uint8Array): Uint8Array | 'unopened' | 'damaged' {
  const aad = packet.subarray(0, HEADER_BYTES)
  const sealedLength = packet.subarray(LENGTH_OFFSET, CONTENT_OFFSET)
  const length = hpke.open(context, { sequence: 0, aad, text: sealedLength })
  if (!length) return 'unopened'
  const bytes = viewOf(length).getUint16(0)
  if (!CONTENT_BYTES.includes(bytes)) return 'damaged'
  const sealed = packet.subarray(CONTENT_OFFSET, CONTENT_OFFSET + bytes + TAG_BYTES)
  return hpke.open(context, { sequence: 1, aad, text: sealed }) ?? 'damaged'
}

/** The encapsulated key of a packet: an opener acts at most once on each. */
export function packetEnc(packet: Uint8Array): Uint8Array {
  return packet.subarray(ENC_OFFSET, LENGTH_OFFSET)
}
