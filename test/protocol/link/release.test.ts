import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  channelId,
  decodeCredit,
  domainSeparator,
  type EndingChannel,
  encodeFrame,
  encodeReleaseAnswer,
  isReleased,
  PayerLink,
  type ReleaseAnswer,
  recoverSigner,
  releaseDigest,
  releaseRequest,
  requestDigest,
  secretKeyAccount,
  signDigest,
} from '@mainframe/protocol'
import { duplexPair } from '../support/duplex.ts'

const SIGNER = new Uint8Array(32).fill(7)
const PAYEE = new Uint8Array(32).fill(8)
const account = new Uint8Array(20)
const channel: EndingChannel = {
  terms: {
    payer: account,
    payee: secretKeyAccount(PAYEE),
    token: account,
    signer: secretKeyAccount(SIGNER),
    noticeSeconds: 3600,
  },
  epoch: 2,
  signedBase: 1_000n,
  domainSeparator: domainSeparator({ chainId: 7n, contract: account }),
}

function answer(finalAmount: bigint, { key = PAYEE, epoch = 2 } = {}): ReleaseAnswer {
  const release = { channelId: channelId(channel.terms), epoch, finalAmount }
  const signature = signDigest(releaseDigest(channel.domainSeparator, release), key)
  return { outcome: 'released', finalAmount, signature }
}

const answerFrame = (sequence: number, given: ReleaseAnswer) =>
  encodeFrame({ type: 'release', sequence, body: encodeReleaseAnswer(given) })

describe('An answer to the wish to end a channel', () => {
  it('is no release when it costs more than was signed, or the payee did not sign just that', () => {
    assert.ok(!isReleased(answer(1_001n), channel), 'above what was signed')
    assert.ok(!isReleased(answer(900n, { key: SIGNER }), channel), 'signed by the payer itself')
    assert.ok(!isReleased(answer(900n, { epoch: 1 }), channel), 'of another epoch')
    assert.ok(!isReleased({ ...answer(900n), finalAmount: 901n }, channel))
    assert.ok(!isReleased({ ...answer(900n), outcome: 'busy' }, channel))
    assert.ok(!isReleased({ ...answer(900n), signature: new Uint8Array(64) }, channel))
  })

  it('is one when it costs what was signed or less', () => {
    assert.ok(isReleased(answer(1_000n), channel))
    assert.ok(isReleased(answer(0n), channel))
  })
})

describe('The wish to end a channel', () => {
  it('is signed by the channel’s signer, for one payee, and is no release itself', () => {
    const request = decodeCredit(releaseRequest(channel, SIGNER))
    assert.ok(request)
    const { signature, signer, amount, epoch } = request
    assert.deepEqual([amount, epoch], [1_000n, 2])
    const digest = requestDigest(channel.domainSeparator, channel.terms.payee, request)
    assert.deepEqual(recoverSigner(digest, signature), signer)
    const other = requestDigest(channel.domainSeparator, account, request)
    assert.notDeepEqual(recoverSigner(other, signature), signer)
    assert.ok(!isReleased({ outcome: 'released', finalAmount: amount, signature }, channel))
  })

  it('ends the link when the relay answers what nobody asked, or asked before', async () => {
    for (const sequence of [0, 1, 2]) {
      const [stream, remote] = duplexPair()
      const link = new PayerLink(stream, {})
      if (sequence !== 1) void link.release(new Uint8Array(0)).catch(() => {})
      remote.send(answerFrame(sequence, answer(1n)))
      await link.closed
      assert.ok(stream.aborted, `${sequence}`)
    }
  })

  it('rejects when the link ends before the answer, and while another waits', async () => {
    const [stream, remote] = duplexPair()
    const link = new PayerLink(stream, {})
    const asked = link.release(new Uint8Array(0))
    await assert.rejects(link.release(new Uint8Array(0)), { code: 'VALIDATION_FAILED' })
    const ended = assert.rejects(asked, { code: 'NETWORK_CLOSED' })
    await remote.close()
    await ended
    await assert.rejects(link.release(new Uint8Array(0)), { code: 'NETWORK_CLOSED' })
  })

  it('is answered in turn, and nothing is signed on the link from then on', async () => {
    const [stream, remote] = duplexPair()
    const link = new PayerLink(stream, {})
    for (const sequence of [1, 2]) {
      const asked = link.release(new Uint8Array(0))
      remote.send(answerFrame(sequence, answer(BigInt(sequence))))
      assert.deepEqual(await asked, answer(BigInt(sequence)))
    }
    const recorded: bigint[] = []
    link.fund({
      ...channel,
      channelId: channelId(channel.terms),
      depositBase: 10_000n,
      baseUnitsPerUnit: 1n,
      windowUnits: 100,
      signerSecretKey: SIGNER,
      record: async (amount) => void recorded.push(amount),
    })
    assert.deepEqual(recorded, [])
    await link.close()
  })
})
