import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  domainSeparator,
  type EndingChannel,
  errorCode,
  fromHex,
  type Hex,
  isReleased,
  type ReleaseAnswer,
  releaseRequest,
} from '@mainframe/protocol'
import { callView, channelsContract } from '../../../node/src/chain/contracts.ts'
import { Rpc } from '../../../node/src/chain/rpc.ts'
import { Releases } from '../../../node/src/payments/releases.ts'
import { decodeCredit } from '../../../protocol/src/link/bodies.ts'
import { startChain, type TestChain } from '../../helpers/chain.ts'
import { MFT } from '../chain-support.ts'
import {
  createPayer,
  creditOf,
  deposit,
  domainOf,
  exit,
  NOTICE_SECONDS,
  type Payee,
  type Payer,
  startPayee,
  UNIT,
} from './support.ts'

const DEPOSIT = 10n * MFT

let chain: TestChain
let payee: Payee
const started: Payee[] = []

before(async () => {
  chain = await startChain()
  payee = await startPayee(chain)
  started.push(payee)
})
after(async () => {
  for (const { stop, remove } of started) {
    await stop()
    await remove()
  }
  await chain.stop()
})

/** A payer with a confirmed channel, and a voucher of so many units if there are any. */
async function paying(units = 0, to = payee): Promise<Payer> {
  const payer = await createPayer(chain)
  await deposit(chain, payer, { payee: to.account, amount: DEPOSIT })
  await to.confirm()
  if (units > 0) assert.equal(await pay(payer, units, to), 'accepted')
  return payer
}

async function pay(payer: Payer, units: number, to = payee): Promise<string> {
  const credit = creditOf(chain, payer, { payee: to.account, units })
  return (await to.ledger.offer(credit, {})).outcome
}

function ending({ account }: Payer, units: number, { epoch = 1, to = payee } = {}): EndingChannel {
  const { deployment } = chain
  return {
    terms: {
      payer: fromHex(account),
      payee: fromHex(to.account),
      token: fromHex(deployment.token),
      signer: fromHex(account),
      noticeSeconds: NOTICE_SECONDS,
    },
    epoch,
    signedBase: BigInt(units) * UNIT,
    domainSeparator: domainSeparator(domainOf(deployment)),
  }
}

async function ask(
  payer: Payer,
  { units = 0, epoch = 1, signWith = payer.secretKey, to = payee } = {},
): Promise<ReleaseAnswer> {
  const channel = ending(payer, units, { epoch, to })
  const request = decodeCredit(releaseRequest(channel, signWith))
  assert.ok(request)
  return await to.releases.ask(request)
}

/** Closes with a release, as anybody with ethers would. */
async function close(
  payer: Payer,
  { finalAmount, signature }: ReleaseAnswer,
  to = payee,
): Promise<void> {
  const { token, channels } = chain.deployment
  const terms = [to.account, token, payer.account, NOTICE_SECONDS]
  const [r, vs] = [signature.subarray(0, 32), signature.subarray(32)]
  const args = [terms, finalAmount, r, vs]
  const data = channelsContract.encodeFunctionData('closeWithRelease', args) as Hex
  await payer.sender.send({ to: channels, data, what: 'closeWithRelease' })
}

async function vaultOf(account: Hex): Promise<bigint> {
  const [balances] = await callView(new Rpc({ url: chain.rpcUrl }), {
    to: chain.deployment.channels,
    contract: channelsContract,
    method: 'vaults',
    args: [[chain.deployment.token], account],
  })
  return balances[0]
}

describe('a payer that asks for the end of its channel', () => {
  it('gets none for a channel that is not there, of another epoch, or not its own', async () => {
    const stranger = await createPayer(chain)
    assert.equal((await ask(stranger)).outcome, 'unknown-channel')
    const payer = await paying()
    assert.equal((await ask(payer, { epoch: 2 })).outcome, 'wrong-epoch')
    const signWith = stranger.secretKey
    assert.equal((await ask(payer, { signWith })).outcome, 'bad-signature')
    assert.equal(await pay(payer, 10), 'accepted', 'nothing of it ended the channel')
  })

  it('gets none while it admits less than it has signed, and may go on', async () => {
    const payer = await paying(1_000)
    const refused = await ask(payer, { units: 999 })
    assert.deepEqual([refused.outcome, refused.finalAmount], ['too-low', 0n])
    assert.equal(await pay(payer, 1_001), 'accepted')
  })

  it('is let go at once for what it had signed, and no voucher is taken after', async () => {
    const payer = await paying(1_000)
    const before = await vaultOf(payee.account)
    const answer = await ask(payer, { units: 5_000 })
    assert.ok(isReleased(answer, ending(payer, 5_000)))
    assert.equal(answer.finalAmount, 1_000n * UNIT)
    assert.equal(await pay(payer, 2_000), 'closing')
    await close(payer, answer)
    assert.equal(await vaultOf(payer.account), DEPOSIT - 1_000n * UNIT)
    assert.equal((await vaultOf(payee.account)) - before, 1_000n * UNIT)
  })

  it('is let go for nothing when it never paid, and pays again in a new epoch', async () => {
    const payer = await paying()
    const answer = await ask(payer)
    assert.deepEqual([answer.outcome, answer.finalAmount], ['released', 0n])
    await close(payer, answer)
    assert.equal(await vaultOf(payer.account), DEPOSIT)
    await payee.confirm()
    assert.equal((await ask(payer)).outcome, 'unknown-channel')
    await deposit(chain, payer, { payee: payee.account, amount: DEPOSIT })
    await payee.confirm()
    const credit = creditOf(chain, payer, { payee: payee.account, units: 10, epoch: 2 })
    assert.equal((await payee.ledger.offer(credit, {})).outcome, 'accepted')
  })

  it('is let go before its notice has passed when it had asked the chain first', async () => {
    const payer = await paying(1_000)
    await exit(chain, payer, { payee: payee.account, method: 'requestClose' })
    await payee.confirm()
    await close(payer, await ask(payer, { units: 1_000 }))
    assert.equal(await vaultOf(payer.account), DEPOSIT - 1_000n * UNIT)
  })

  it('is owed for every voucher that came before its wish, however close', async () => {
    const payer = await paying(1_000)
    const outcomes: string[] = []
    const voucher = pay(payer, 2_000).then((outcome) => outcomes.push(outcome))
    const answer = await ask(payer, { units: 3_000 })
    await voucher
    const owed = outcomes[0] === 'accepted' ? 2_000n : 1_000n
    assert.equal(answer.finalAmount, owed * UNIT)
  })
})

describe('a release', () => {
  it('is not signed when its epoch’s end could not be made durable', async () => {
    const payer = await paying(1_000)
    const { directory, ledger, account, secretKey } = payee
    const full = Object.assign(new Error('disk full'), { code: 'STORE_FAILED' })
    const failing = new Releases({
      directory,
      ledger,
      payee: account,
      payeeSecret: secretKey,
      domain: domainOf(chain.deployment),
      released: { put: () => Promise.reject(full) },
    })
    const request = decodeCredit(releaseRequest(ending(payer, 1_000), payer.secretKey))
    assert.ok(request)
    await assert.rejects(failing.ask(request), (error) => errorCode(error) === 'STORE_FAILED')
    assert.equal(await pay(payer, 2_000), 'closing', 'whatever became of it on the disk')
  })

  it('given before a crash is given again, and binds the relay that starts anew', async () => {
    const first = await startPayee(chain)
    const payer = await paying(1_000, first)
    const answer = await ask(payer, { units: 1_000, to: first })
    await first.stop()
    const second = await startPayee(chain, first)
    started.push(second)
    assert.equal(await pay(payer, 2_000, second), 'closing')
    assert.deepEqual(await ask(payer, { units: 1_000, to: second }), answer)
    await close(payer, answer, second)
    assert.equal(await vaultOf(payer.account), DEPOSIT - 1_000n * UNIT)
  })
})
