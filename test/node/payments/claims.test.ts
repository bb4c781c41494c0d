import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, afterEach, before, describe, it } from 'node:test'
import {
  bigintToBytes,
  channelId,
  domainSeparator,
  errorCode,
  fromHex,
  type Hex,
  secretKeyAccount,
  signDigest,
  toHex,
  voucherDigest,
} from '@mainframe/protocol'
import { channelsContract, tokenContract } from '../../../node/src/chain/contracts.ts'
import { Rpc } from '../../../node/src/chain/rpc.ts'
import { claimGas, MAX_CLAIM_ROWS, rowsFor } from '../../../node/src/payments/claim-batches.ts'
import { type ClaimResult, Claims, type ClaimsOptions } from '../../../node/src/payments/claims.ts'
import { startChain, type TestChain } from '../../helpers/chain.ts'
import { type FaultyRpc, startFaultyRpc } from '../chain/faulty-rpc.ts'
import { MFT, until } from '../chain-support.ts'
import {
  createPayer,
  creditOf,
  deposit,
  domainOf,
  exit,
  mftOf as mftOfResult,
  NOTICE_SECONDS,
  type Payee,
  type Payer,
  startPayee,
  UNIT,
  vaultOf as vaultOfAccount,
} from './support.ts'

let chain: TestChain
let faulty: FaultyRpc
const payees: Payee[] = []
const running: Claims[] = []

before(async () => {
  chain = await startChain()
  faulty = await startFaultyRpc(chain.rpcUrl)
})
afterEach(async () => {
  faulty.intercept = (_, forward) => forward()
  for (const claims of running.splice(0)) await claims.stop()
})
after(async () => {
  for (const { stop, remove } of payees) {
    await stop()
    await remove()
  }
  await faulty.stop()
  await chain.stop()
})

async function newPayee(before?: Payee): Promise<Payee> {
  const payee = await startPayee(chain, before)
  await chain.fund(payee.account, 0n)
  payees.push(payee)
  return payee
}

function claimsOf(payee: Payee, options: Partial<ClaimsOptions> = {}): Claims {
  const { deployment, rpcUrl } = chain
  const { directory, sender, vouchers } = payee
  const never = { thresholdOf: () => 10n ** 30n, maxAgeMs: 10 ** 9, checkMs: 10 }
  const rpc = new Rpc({ url: rpcUrl })
  const claims = new Claims({ rpc, deployment, directory, sender, vouchers, ...never, ...options })
  running.push(claims)
  return claims
}

/** A payer with a confirmed channel and an accepted voucher. */
async function paid(payee: Payee, units: number, notice = NOTICE_SECONDS): Promise<Payer> {
  const payer = await createPayer(chain)
  await deposit(chain, payer, { payee: payee.account, amount: 10n * MFT, notice })
  await payee.confirm()
  await pay(payee, payer, units, notice)
  return payer
}

async function pay(payee: Payee, payer: Payer, units: number, notice = NOTICE_SECONDS) {
  const credit = creditOf(chain, payer, { payee: payee.account, units, notice })
  const { outcome } = await payee.ledger.offer(credit, {})
  assert.equal(outcome, 'accepted')
}

const vaultOf = (of: { account: Hex }) => vaultOfAccount(chain, of)

const mftOf = (result: ClaimResult | undefined) => mftOfResult(chain, result)

function earnedBy({ ledger }: Payee) {
  return ledger.earned()[chain.deployment.token]
}

const sentBy = async ({ account }: Payee) =>
  Number(await chain.request('eth_getTransactionCount', [account, 'latest']))

describe('claiming', () => {
  it('does nothing, and costs nothing, when there is nothing to claim', async () => {
    const payee = await newPayee()
    assert.equal(await claimsOf(payee).claimNow(), undefined)
    assert.equal(await sentBy(payee), 0)
  })

  it('twice pays once, whether the view knows of the first claim or not', async () => {
    const payee = await newPayee()
    const payer = await paid(payee, 1_000)
    await paid(payee, 2_000)
    const claims = claimsOf(payee)
    const [first, second] = await Promise.all([claims.claimNow(), claims.claimNow()])
    assert.equal(first?.rows, 2)
    assert.equal(mftOf(first), 3_000n * UNIT)
    assert.equal(second, undefined)
    await payee.confirm()
    assert.equal(await claims.claimNow(), undefined)
    assert.equal(await vaultOf(payee), 3_000n * UNIT)
    assert.deepEqual(earnedBy(payee), {
      earnedBase: 3_000n * UNIT,
      claimedBase: 3_000n * UNIT,
      unclaimedBase: 0n,
    })
    await pay(payee, payer, 1_500)
    const third = await claims.claimNow()
    assert.deepEqual([third?.rows, mftOf(third)], [1, 500n * UNIT])
    assert.equal(await vaultOf(payee), 3_500n * UNIT)
    assert.equal(await sentBy(payee), 2)
  })

  it('pays nothing anew after a restart, and counts nothing twice', async () => {
    const first = await newPayee()
    await paid(first, 4_000)
    await claimsOf(first).claimNow()
    // the process dies before its view has the claim
    await first.stop()
    const second = await newPayee(first)
    assert.equal(await claimsOf(second).claimNow(), undefined)
    await second.confirm()
    assert.deepEqual(earnedBy(second), {
      earnedBase: 4_000n * UNIT,
      claimedBase: 4_000n * UNIT,
      unclaimedBase: 0n,
    })
    assert.equal(await vaultOf(second), 4_000n * UNIT)
  })

  it('is repeated when a reorganisation drops it', async () => {
    const payee = await newPayee()
    await paid(payee, 1_000)
    const claims = claimsOf(payee)
    const snapshot = await chain.snapshot()
    await claims.claimNow()
    await chain.revert(snapshot)
    assert.equal(await vaultOf(payee), 0n)
    assert.equal(mftOf(await claims.claimNow()), 1_000n * UNIT)
    assert.equal(await vaultOf(payee), 1_000n * UNIT)
  })

  it('begins by itself at the threshold, and not below', async () => {
    const payee = await newPayee()
    const results: bigint[] = []
    const onClaimed = (result: ClaimResult) => results.push(mftOf(result))
    claimsOf(payee, { thresholdOf: () => 3_000n * UNIT, onClaimed }).start()
    await paid(payee, 1_000)
    await paid(payee, 1_999)
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.deepEqual(results, [])
    await paid(payee, 1)
    await until(() => results.length > 0)
    assert.deepEqual(results, [3_000n * UNIT])
  })

  it('begins by itself when a voucher gets old', async () => {
    const payee = await newPayee()
    const results: bigint[] = []
    const onClaimed = (result: ClaimResult) => results.push(mftOf(result))
    claimsOf(payee, { maxAgeMs: 200, onClaimed }).start()
    await paid(payee, 1)
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.deepEqual(results, [])
    await until(() => results.length > 0)
    assert.deepEqual(results, [UNIT])
  })

  it('begins at once when a payer asks to close, and again when that failed', async () => {
    const payee = await newPayee()
    const payer = await paid(payee, 1_000)
    const [results, troubles]: [bigint[], string[]] = [[], []]
    let failures = 2
    faulty.intercept = ({ method }, forward) =>
      method === 'eth_call' && failures-- > 0
        ? { error: { code: -32000, message: 'not now' } }
        : forward()
    claimsOf(payee, {
      rpc: new Rpc({ url: faulty.url }),
      onClaimed: (result) => results.push(mftOf(result)),
      onTrouble: ({ code }) => troubles.push(code),
    }).start()
    await exit(chain, payer, { payee: payee.account, method: 'requestClose' })
    await payee.confirm()
    await until(() => results.length > 0)
    assert.deepEqual(results, [1_000n * UNIT])
    assert.deepEqual(troubles, ['CHAIN_REJECTED', 'CHAIN_REJECTED'])
    await chain.passTime(NOTICE_SECONDS)
    await exit(chain, payer, { payee: payee.account, method: 'finalize' })
    await payee.confirm()
    assert.equal(earnedBy(payee)?.earnedBase, 1_000n * UNIT)
    assert.equal(await vaultOf(payer), 10n * MFT - 1_000n * UNIT)
  })

  it('is repeated while a payer closes when a reorganisation drops it', async () => {
    const payee = await newPayee()
    const payer = await paid(payee, 1_000)
    const results: bigint[] = []
    const gate = Promise.withResolvers<void>()
    faulty.intercept = async ({ method }, forward) => {
      if (method === 'eth_call') await gate.promise
      return await forward()
    }
    claimsOf(payee, {
      rpc: new Rpc({ url: faulty.url }),
      onClaimed: (result) => results.push(mftOf(result)),
    }).start()
    await exit(chain, payer, { payee: payee.account, method: 'requestClose' })
    await payee.confirm()
    const snapshot = await chain.snapshot()
    gate.resolve()
    await until(() => results.length > 0)
    await chain.revert(snapshot)
    await until(() => results.length > 1)
    assert.deepEqual(results, [1_000n * UNIT, 1_000n * UNIT])
    assert.equal(await vaultOf(payee), 1_000n * UNIT)
  })

  it('comes in time after a relay was off line while a payer asked to close', async () => {
    const first = await newPayee()
    const payer = await paid(first, 1_000)
    await first.stop()
    await exit(chain, payer, { payee: first.account, method: 'requestClose' })
    await chain.passTime(NOTICE_SECONDS - 600)
    const second = await newPayee(first)
    const results: bigint[] = []
    claimsOf(second, { onClaimed: (result) => results.push(mftOf(result)) }).start()
    await second.confirm()
    await until(() => results.length > 0)
    assert.deepEqual(results, [1_000n * UNIT])
    await chain.passTime(600)
    await exit(chain, payer, { payee: second.account, method: 'finalize' })
    assert.equal(await vaultOf(second), 1_000n * UNIT)
    assert.equal(await vaultOf(payer), 10n * MFT - 1_000n * UNIT)
  })

  it('goes on at the very next look when the relay starts with the close confirmed', async () => {
    const first = await newPayee()
    const payer = await paid(first, 1_000)
    await exit(chain, payer, { payee: first.account, method: 'requestClose' })
    await first.confirm()
    await first.stop()
    const second = await newPayee(first)
    const results: bigint[] = []
    const onClaimed = (result: ClaimResult) => results.push(mftOf(result))
    claimsOf(second, { checkMs: 10 ** 9, onClaimed }).start()
    await until(() => results.length > 0)
    assert.deepEqual(results, [1_000n * UNIT])
  })

  it('asks less and less often while it fails', async () => {
    const payee = await newPayee()
    await paid(payee, 1_000)
    await chain.request('hardhat_setBalance', [payee.account, '0x0'])
    const troubles: number[] = []
    const onTrouble = () => troubles.push(Date.now())
    claimsOf(payee, { thresholdOf: () => 1n, onTrouble }).start()
    await until(() => troubles.length >= 4)
    const [first = 0, , third = 0, fourth = 0] = troubles
    assert.ok(fourth - third >= 80, `${fourth - third} ms after the third failure`)
    assert.ok(fourth - first >= 140)
  })

  it('earns nothing of what was not claimed when a channel closed, and says so', async () => {
    const payee = await newPayee()
    const payer = await paid(payee, 1_000)
    await exit(chain, payer, { payee: payee.account, method: 'requestClose' })
    await chain.passTime(NOTICE_SECONDS)
    await exit(chain, payer, { payee: payee.account, method: 'finalize' })
    await payee.confirm()
    assert.deepEqual(earnedBy(payee), { earnedBase: 0n, claimedBase: 0n, unclaimedBase: 0n })
    assert.equal(await claimsOf(payee).claimNow(), undefined)
    // a new epoch does not revive the voucher of the old one
    await deposit(chain, payer, { payee: payee.account, amount: 10n * MFT })
    await payee.confirm()
    assert.equal(await claimsOf(payee).claimNow(), undefined)
    const credit = creditOf(chain, payer, { payee: payee.account, units: 500, epoch: 2 })
    assert.equal((await payee.ledger.offer(credit, {})).outcome, 'accepted')
    assert.equal(mftOf(await claimsOf(payee).claimNow()), 500n * UNIT)
  })

  it('goes by notice, and by batches of 200', async () => {
    const payee = await newPayee()
    const payer = await createPayer(chain)
    await openMany(payer, payee, MAX_CLAIM_ROWS + 1)
    await paid(payee, 7, NOTICE_SECONDS + 1)
    const result = await claimsOf(payee).claimNow()
    assert.equal(result?.rows, MAX_CLAIM_ROWS + 2)
    assert.equal(result?.txHashes.length, 3)
    assert.equal(mftOf(result), BigInt(MAX_CLAIM_ROWS + 1) * UNIT + 7n * UNIT)
    assert.equal(await vaultOf(payee), mftOf(result))
  })

  it('allows a fifth more gas than claims were measured to take', async () => {
    const measured = await readFile(new URL('../../../bench/gas.json', import.meta.url), 'utf8')
    const gas = JSON.parse(measured) as Record<string, number>
    for (const rows of [1, 10, 50]) {
      assert.ok(Number(claimGas(rows)) >= 1.2 * (gas[`claim${rows}`] ?? Number.NaN), `${rows} rows`)
      assert.equal(rowsFor(claimGas(rows)), rows)
    }
    assert.deepEqual([rowsFor(0n), rowsFor(claimGas(1) - 1n), rowsFor(10n ** 9n)], [0, 0, 200])
  })

  it('says why it failed', async () => {
    const payee = await newPayee()
    await paid(payee, 1_000)
    await chain.request('hardhat_setBalance', [payee.account, '0x0'])
    await assert.rejects(
      claimsOf(payee).claimNow(),
      (error) => errorCode(error) === 'CHAIN_REJECTED',
    )
  })
})

/** As many channels of one payer, each with a signer and a stored voucher of its own. */
async function openMany(payer: Payer, payee: Payee, count: number): Promise<void> {
  const { deployment } = chain
  const { token, channels } = deployment
  const send = (to: Hex, data: string, what: string) =>
    payer.sender.send({ to, data: data as Hex, what })
  await send(token, tokenContract.encodeFunctionData('approve', [channels, 10n * MFT]), 'approve')
  const total = BigInt(count) * UNIT
  await send(channels, channelsContract.encodeFunctionData('deposit', [token, total]), 'deposit')
  const secrets = Array.from({ length: count }, (_, i) => bigintToBytes(BigInt(i + 1), 32))
  const signers = secrets.map((secret) => toHex(secretKeyAccount(secret)))
  for (let i = 0; i < count; i += 100) {
    const rows = signers.slice(i, i + 100).map((signer) => [payee.account, signer, UNIT, 0])
    const data = channelsContract.encodeFunctionData('openFromVault', [token, NOTICE_SECONDS, rows])
    await send(channels, data, 'openFromVault')
  }
  await payee.confirm()
  const separator = domainSeparator(domainOf(deployment))
  const puts = signers.map((signer, i) => {
    const terms = { payer: fromHex(payer.account), payee: fromHex(payee.account) }
    const rest = { token: fromHex(token), signer: fromHex(signer), noticeSeconds: NOTICE_SECONDS }
    const id = channelId({ ...terms, ...rest })
    const digest = voucherDigest(separator, { channelId: id, epoch: 1, amount: UNIT })
    return payee.vouchers.put({
      channelId: toHex(id),
      epoch: 1,
      amount: UNIT,
      signature: signDigest(digest, secrets[i] ?? assert.fail()),
      payer: payer.account,
      signer,
      noticeSeconds: NOTICE_SECONDS,
    })
  })
  await Promise.all(puts)
}
