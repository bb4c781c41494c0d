import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  BASE_PER_UNIT,
  type Credit,
  channelId,
  domainSeparator,
  type EndingChannel,
  equalBytes,
  fromHex,
  type Quote,
  type ReleaseAnswer,
  recoverSigner,
  releaseDigest,
  requestDigest,
  secretKeyAccount,
  signDigest,
  toHex,
} from '@mainframe/protocol'
import { askRelease } from '../../../sdk/src/payments/ask-release.ts'
import { type ChannelRecord, readChannels } from '../../../sdk/src/payments/channel-records.ts'
import { openChannel } from '../../../sdk/src/payments/channels.ts'
import { advanceClose, emptyVaults } from '../../../sdk/src/payments/close-channel.ts'
import { domainOf } from '../../../sdk/src/payments/quote-check.ts'
import { fakeMoney } from '../support/fake-money.ts'
import { connectTo, FakeRelay } from '../support/fake-relays.ts'
import { deployment } from '../support/honest-indexer.ts'

const MFT = 10n ** 18n
const SIGNED = 7n * BASE_PER_UNIT
const PAYEE = new Uint8Array(32).fill(4)
const separator = domainSeparator(domainOf(deployment))
const payee = secretKeyAccount(PAYEE)

/** What an honest relay answers that holds a voucher over this. */
function consent({ epoch, amount: _asked, ...terms }: Credit, held: bigint): ReleaseAnswer {
  const id = channelId({ ...terms, payee })
  const digest = releaseDigest(separator, { channelId: id, epoch, finalAmount: held })
  return { outcome: 'released', finalAmount: held, signature: signDigest(digest, PAYEE) }
}

/** A channel on which 7 units were signed, to a relay that answers so. */
async function rig(release?: (request: Credit) => ReleaseAnswer) {
  const money = fakeMoney(10n * MFT)
  const relay = new FakeRelay('r', money, { payee: toHex(payee) })
  if (release) relay.manners.release = release
  const token = fromHex(money.deployment.token)
  const terms = { minDepositBase: MFT, noticeSeconds: 3_600, baseUnitsPerUnit: BASE_PER_UNIT }
  const channel = await openChannel(money.context, {
    relay: relay.relay,
    quote: { ...terms, token } as Quote,
    depositBase: MFT,
    windowUnits: 1_000,
  })
  await channel.record(SIGNED)
  const [record] = await readChannels(money.context.store)
  assert.ok(record)
  const connect = connectTo([relay])
  const ask = (ending: EndingChannel) =>
    askRelease(relay.relay, ending, { ...money.context, connect }).catch(() => undefined)
  const close = (of: ChannelRecord = record) => advanceClose(money.context, of, ask)
  return { money, relay, record, close }
}

const methods = ({ transactions }: { transactions: { method: string }[] }) =>
  transactions.map(({ method }) => method).slice(1)

describe('leaving a relay', () => {
  const faults: [string, ((request: Credit) => ReleaseAnswer) | undefined][] = [
    ['that ends the link', undefined],
    ['that is busy', (request) => ({ ...consent(request, 0n), outcome: 'busy' })],
    ['that wants more than was signed', (request) => consent(request, SIGNED + 1n)],
    ['that signs for another epoch', (request) => consent({ ...request, epoch: 2 }, 0n)],
    [
      'that signs nothing',
      (request) => ({ ...consent(request, 0n), signature: new Uint8Array(64) }),
    ],
  ]
  for (const [what, release] of faults) {
    it(`${what} goes by the notice`, async () => {
      const { money, close } = await rig(release)
      assert.equal((await close()).state, 'closing')
      assert.deepEqual(methods(money), ['requestClose'])
      money.nowSeconds += 3_600
      assert.equal((await close()).state, 'closed')
      assert.equal(money.mft, 10n * MFT)
    })
  }

  it('that is away goes by the notice, and at once when it is back before that', async () => {
    const { money, relay, close } = await rig((request) => consent(request, SIGNED))
    relay.manners.isAlive = false
    const closing = await close()
    assert.ok(closing.state === 'closing')
    assert.deepEqual(await close(), closing)
    relay.manners.isAlive = true
    assert.deepEqual(await close(), { channelId: closing.channelId, state: 'closed' })
    assert.deepEqual(methods(money), ['requestClose', 'closeWithRelease'])
  })

  it('that lets it go takes no notice, and what comes back reaches the wallet', async () => {
    const requests: Credit[] = []
    const { money, record, close } = await rig((request) => {
      requests.push(request)
      return consent(request, SIGNED)
    })
    assert.equal((await close()).state, 'closed')
    const [request] = requests
    assert.ok(request)
    assert.deepEqual([request.amount, request.epoch], [SIGNED, 1])
    const signer = recoverSigner(requestDigest(separator, payee, request), request.signature)
    assert.ok(signer && equalBytes(signer, request.signer))
    assert.equal(toHex(request.signer), record.signer)
    await emptyVaults(money.context, [money.deployment.token])
    await emptyVaults(money.context, [money.deployment.token])
    assert.deepEqual(methods(money), ['closeWithRelease', 'withdraw'])
    assert.equal(money.mft, 10n * MFT - SIGNED)
    assert.equal((await close()).state, 'closed')
  })

  it('after an old store was put back admits at least what the relay has claimed', async () => {
    const { money, record, close } = await rig((request) => consent(request, SIGNED))
    for (const [id, slot] of money.slots) money.slots.set(id, { ...slot, claimed: SIGNED })
    assert.equal((await close({ ...record, signedBase: 1n })).state, 'closed')
  })
})
