/** Identity of a relay: its id, and the signature that binds its node key (PROTOCOL.md §1.3). */
import { primitives } from '#primitives'
import { bigintToBytes, concatBytes, exactBytes, utf8 } from './bytes.ts'

/** Where a registration is made, and by whom. Accounts are 20 bytes. */
export interface RegistrationContext {
  chainId: bigint
  registry: Uint8Array
  operator: Uint8Array
}

/** The node key of a 32-byte Ed25519 seed; it is the relay's libp2p identity as well. */
export function nodeKeyOf(seed: Uint8Array): Uint8Array {
  return primitives.ed25519PublicKey(seed)
}

/** keccak256(abi.encode(operator, nodeKey)). */
export function nodeIdOf(operator: Uint8Array, nodeKey: Uint8Array): Uint8Array {
  return primitives.keccak256(
    concatBytes(new Uint8Array(12), exactBytes(operator, 20), exactBytes(nodeKey, 32)),
  )
}

/** keccak256 of a service's name, as the price board stores it. */
export function serviceId(name: string): Uint8Array {
  return primitives.keccak256(utf8(name))
}

/** The bytes that a node key signs at registration. */
export function registrationMessage({ chainId, registry, operator }: RegistrationContext) {
  return concatBytes(
    utf8('mainframe/register/1'),
    bigintToBytes(chainId, 32),
    exactBytes(registry, 20),
    exactBytes(operator, 20),
  )
}

/** Signs a registration with the 32-byte Ed25519 seed of the node. */
export function signRegistration(seed: Uint8Array, context: RegistrationContext): Uint8Array {
  return primitives.ed25519Sign(seed, registrationMessage(context))
}

/** Whether the holder of `nodeKey` agreed to be registered by this operator. */
export function isRegistrationSigned(
  nodeKey: Uint8Array,
  signature: Uint8Array,
  context: RegistrationContext,
): boolean {
  return primitives.ed25519Verify(nodeKey, registrationMessage(context), signature)
}
