import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  isRegistrationSigned,
  nodeIdOf,
  registrationMessage,
  SERVICE_NAMES,
  serviceId,
  signRegistration,
  toHex,
} from '@mainframe/protocol'
import { AbiCoder, id, keccak256, solidityPacked } from 'ethers'
import { primitives } from '../../protocol/src/crypto/native.ts'
import { flipBit } from './support/arbitraries.ts'

const seed = new Uint8Array(32).fill(1)
const nodeKey = primitives.ed25519PublicKey(seed)
const context = {
  chainId: 31_337n,
  registry: new Uint8Array(20).fill(2),
  operator: new Uint8Array(20).fill(3),
}

describe('registration', () => {
  it('is signed for one chain, registry, operator and key only', () => {
    const signature = signRegistration(seed, context)
    assert.equal(isRegistrationSigned(nodeKey, signature, context), true)
    const elsewhere = [
      { ...context, chainId: 1n },
      { ...context, registry: context.operator },
      { ...context, operator: context.registry },
    ]
    for (const other of elsewhere) {
      assert.equal(isRegistrationSigned(nodeKey, signature, other), false)
    }
    const otherKey = primitives.ed25519PublicKey(new Uint8Array(32).fill(9))
    assert.equal(isRegistrationSigned(otherKey, signature, context), false)
    assert.equal(isRegistrationSigned(nodeKey, flipBit(signature, 5, 5), context), false)
    assert.equal(isRegistrationSigned(nodeKey, new Uint8Array(0), context), false)
    assert.equal(isRegistrationSigned(new Uint8Array(3), signature, context), false)
  })

  it('signs the tag, the chain id as a word, and both accounts', () => {
    const types = ['string', 'uint256', 'address', 'address']
    const accounts = [toHex(context.registry), toHex(context.operator)]
    const values = ['mainframe/register/1', context.chainId, ...accounts]
    assert.equal(toHex(registrationMessage(context)), solidityPacked(types, values))
    const short = { ...context, operator: new Uint8Array(19) }
    assert.throws(() => registrationMessage(short), { code: 'CODEC_INVALID' })
  })

  it('node ids are keccak256(abi.encode(operator, nodeKey)), service ids keccak256 of the name', () => {
    const encoded = AbiCoder.defaultAbiCoder().encode(
      ['address', 'bytes32'],
      [toHex(context.operator), toHex(nodeKey)],
    )
    assert.equal(toHex(nodeIdOf(context.operator, nodeKey)), keccak256(encoded))
    assert.throws(() => nodeIdOf(context.operator, new Uint8Array(31)), { code: 'CODEC_INVALID' })
    assert.equal(toHex(serviceId(SERVICE_NAMES.route)), id('route/1'))
    assert.equal(toHex(serviceId(SERVICE_NAMES.hold)), id('hold/1'))
  })
})
