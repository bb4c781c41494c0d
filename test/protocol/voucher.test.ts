import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  channelId,
  domainSeparator,
  MAX_AMOUNT,
  publicKeyAccount,
  recoverSigner,
  releaseDigest,
  SIGNATURE_BYTES,
  secretKeyAccount,
  signDigest,
  toHex,
  voucherDigest,
} from '@mainframe/protocol'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { AbiCoder, keccak256, recoverAddress, Signature, TypedDataEncoder, Wallet } from 'ethers'
import fc from 'fast-check'
import { bytes, flipBit } from './support/arbitraries.ts'

const coder = AbiCoder.defaultAbiCoder()
const VOUCHER_TYPES = {
  Voucher: [
    { name: 'channelId', type: 'bytes32' },
    { name: 'epoch', type: 'uint24' },
    { name: 'amount', type: 'uint96' },
  ],
}
const RELEASE_TYPES = {
  Release: [
    { name: 'channelId', type: 'bytes32' },
    { name: 'epoch', type: 'uint24' },
    { name: 'finalAmount', type: 'uint96' },
  ],
}
const secretKey = bytes(32).filter((key) => secp256k1.utils.isValidSecretKey(key))
const voucher = fc.record({
  channelId: bytes(32),
  epoch: fc.integer({ min: 0, max: 0xff_ffff }),
  amount: fc.bigInt({ min: 0n, max: MAX_AMOUNT }),
})
const domain = fc.record({ chainId: fc.bigInt({ min: 1n, max: 1n << 64n }), contract: bytes(20) })

describe('vouchers: what is refused', () => {
  const secret = new Uint8Array(32).fill(3)
  const digest = new Uint8Array(32).fill(4)
  const signature = signDigest(digest, secret)

  it('a signature of another length, of zeros, or past the order recovers nobody', () => {
    const order = Buffer.from(secp256k1.Point.Fn.ORDER.toString(16), 'hex')
    const bad = [
      new Uint8Array(0),
      signature.subarray(1),
      Uint8Array.of(...signature, 0),
      new Uint8Array(SIGNATURE_BYTES),
      new Uint8Array(SIGNATURE_BYTES).fill(0xff),
      Uint8Array.of(...order, ...signature.subarray(32)),
      Uint8Array.of(...signature.subarray(0, 32), ...new Uint8Array(32)),
    ]
    for (const bytesOf of bad) assert.equal(recoverSigner(digest, bytesOf), undefined)
  })

  it('is left as it is, with either recovery bit, also in a Buffer', () => {
    for (let i = 0; i < 16; i++) {
      const each = new Uint8Array(32).fill(i)
      const made = Buffer.from(signDigest(each, secret))
      const before = toHex(made)
      assert.ok(recoverSigner(each, made))
      assert.equal(toHex(made), before)
    }
  })

  it('a changed signature or digest recovers somebody else or nobody', () => {
    const account = secretKeyAccount(secret)
    for (let i = 0; i < 8 * SIGNATURE_BYTES; i += 3) {
      assert.notDeepEqual(recoverSigner(digest, flipBit(signature, i >> 3, i)), account)
    }
    assert.notDeepEqual(recoverSigner(flipBit(digest, 1, 1), signature), account)
  })

  it('fields of another length do not encode', () => {
    const account = new Uint8Array(20)
    const terms = {
      payer: account,
      payee: account,
      token: account,
      signer: account,
      noticeSeconds: 1,
    }
    const short = new Uint8Array(19)
    assert.throws(() => channelId({ ...terms, payee: short }), { code: 'CODEC_INVALID' })
    assert.throws(() => domainSeparator({ chainId: 1n, contract: short }), {
      code: 'CODEC_INVALID',
    })
    const odd = { channelId: new Uint8Array(31), epoch: 1, amount: 1n }
    assert.throws(() => voucherDigest(digest, odd), { code: 'CODEC_INVALID' })
    for (const amount of [-1n, MAX_AMOUNT + 1n]) {
      const unfit = { channelId: digest, epoch: 1, amount }
      assert.throws(() => voucherDigest(digest, unfit), { code: 'CODEC_INVALID' })
    }
  })
})

describe('vouchers: as ethers computes them', () => {
  it('channelId is keccak256(abi.encode(payer, payee, token, signer, notice))', () => {
    const account = bytes(20)
    const notice = fc.integer({ min: 0, max: 0xffff_ffff })
    fc.assert(
      fc.property(account, account, account, account, notice, (payer, payee, token, signer, n) => {
        const types = ['address', 'address', 'address', 'address', 'uint32']
        const values = [payer, payee, token, signer].map((bytesOf) => toHex(bytesOf))
        const expected = keccak256(coder.encode(types, [...values, n]))
        assert.equal(toHex(channelId({ payer, payee, token, signer, noticeSeconds: n })), expected)
      }),
    )
  })

  it('domain separator and both digests are those of EIP-712', () => {
    fc.assert(
      fc.property(domain, voucher, ({ chainId, contract }, v) => {
        const ethersDomain = {
          name: 'Mainframe PaymentChannels',
          version: '1',
          chainId,
          verifyingContract: toHex(contract),
        }
        const separator = domainSeparator({ chainId, contract })
        assert.equal(toHex(separator), TypedDataEncoder.hashDomain(ethersDomain))
        const message = { ...v, channelId: toHex(v.channelId) }
        const expected = TypedDataEncoder.hash(ethersDomain, VOUCHER_TYPES, message)
        assert.equal(toHex(voucherDigest(separator, v)), expected)
        const { amount: finalAmount, channelId, epoch } = v
        const release = { channelId: toHex(channelId), epoch, finalAmount }
        assert.equal(
          toHex(releaseDigest(separator, { channelId, epoch, finalAmount })),
          TypedDataEncoder.hash(ethersDomain, RELEASE_TYPES, release),
        )
      }),
    )
  })

  it('signatures are EIP-2098 with low s, and ethers and we recover the signer from them', () => {
    fc.assert(
      fc.property(secretKey, bytes(32), (secret, digest) => {
        const { address } = new Wallet(toHex(secret))
        const account = secretKeyAccount(secret)
        assert.equal(toHex(account), address.toLowerCase())
        assert.deepEqual(publicKeyAccount(secp256k1.getPublicKey(secret, false)), account)
        const signature = signDigest(digest, secret)
        assert.equal(signature.length, SIGNATURE_BYTES)
        assert.equal(recoverAddress(toHex(digest), toHex(signature)), address)
        assert.deepEqual(recoverSigner(digest, signature), account)
        assert.equal(Signature.from(toHex(signature)).compactSerialized, toHex(signature))
      }),
      { numRuns: 40 },
    )
  })

  it('recovers the signer of a voucher that ethers signed', async () => {
    await fc.assert(
      fc.asyncProperty(secretKey, domain, voucher, async (secret, { chainId, contract }, v) => {
        const wallet = new Wallet(toHex(secret))
        const signed = await wallet.signTypedData(
          {
            name: 'Mainframe PaymentChannels',
            version: '1',
            chainId,
            verifyingContract: toHex(contract),
          },
          VOUCHER_TYPES,
          { ...v, channelId: toHex(v.channelId) },
        )
        const compact = Buffer.from(Signature.from(signed).compactSerialized.slice(2), 'hex')
        const digest = voucherDigest(domainSeparator({ chainId, contract }), v)
        assert.deepEqual(recoverSigner(digest, compact), secretKeyAccount(secret))
      }),
      { numRuns: 20 },
    )
  })
})
