import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BASE_PER_UNIT, fromHex, type Hex, type Quote, toHex } from '@mainframe/protocol'
import { balance } from '../../../sdk/src/actions/balance.ts'
import { channelSpending as spending } from '../../../sdk/src/actions/spending.ts'
import type { Chain } from '../../../sdk/src/chain/chain.ts'
import type { Settings } from '../../../sdk/src/options.ts'
import { readChannels, writeChannel } from '../../../sdk/src/payments/channel-records.ts'
import { openChannel } from '../../../sdk/src/payments/channels.ts'
import { advanceClose } from '../../../sdk/src/payments/close-channel.ts'
import { type FakeMoney, fakeMoney } from '../support/fake-money.ts'
import { makeRelay } from '../support/relays.ts'

const MFT = 10n ** 18n
const terms = { minDepositBase: MFT / 10n, noticeSeconds: 86_400, baseUnitsPerUnit: BASE_PER_UNIT }

/** An account with two channels, of 1 and 3 MFT; 5 units are signed away in the first, 7 in the other. */
async function spender() {
  const money = fakeMoney(10n * MFT)
  const ids: Hex[] = []
  const quote = { ...terms, token: fromHex(money.deployment.token) }
  for (const [name, depositBase, signedBase] of [
    ['a', MFT, 5n],
    ['b', 3n * MFT, 7n],
  ] as const) {
    const wish = { relay: makeRelay(name), quote: quote as Quote, depositBase, windowUnits: 1_000 }
    const channel = await openChannel(money.context, wish)
    await channel.record(signedBase)
    ids.push(toHex(channel.channelId))
  }
  const medium = { token: money.deployment.token, isMft: true, mostBaseUnitsPerUnit: BASE_PER_UNIT }
  const settings = { medium } as Settings
  return { money, context: { ...money.context, settings }, ids }
}

function claim(money: FakeMoney, id: `0x${string}`, claimed: bigint): void {
  const slot = money.slots.get(id)
  assert.ok(slot)
  money.slots.set(id, { ...slot, claimed })
}

describe('What a client has and has spent', () => {
  it('is told by channel, and in sums to the last base unit', async () => {
    const { money, context, ids } = await spender()
    claim(money, ids[1] ?? '0x', 4n)
    const rows = await spending(context)
    const figures = new Map(
      rows.map((row) => [
        row.channelId,
        [row.depositBase, row.signedBase, row.claimedBase, row.remainingBase, row.state],
      ]),
    )
    assert.deepEqual(figures.get(ids[0] ?? '0x'), [MFT, 5n, 0n, MFT - 5n, 'open'])
    assert.deepEqual(figures.get(ids[1] ?? '0x'), [3n * MFT, 7n, 4n, 3n * MFT - 7n, 'open'])
    const { mftBase, channels, totalBase } = await balance(context)
    assert.equal(mftBase, 6n * MFT)
    assert.deepEqual(channels, {
      depositBase: 4n * MFT,
      signedBase: 12n,
      claimedBase: 4n,
      remainingBase: 4n * MFT - 12n,
    })
    assert.equal(totalBase, 10n * MFT - 12n, 'all that is not signed away')
    const token = money.deployment.token.toUpperCase().replace('X', 'x') as Hex
    const chain = { ...context.chain, deployment: { ...money.deployment, token } } as Chain
    assert.deepEqual(
      (await balance({ ...context, chain })).channels,
      channels,
      'however it is spelt',
    )
  })

  it('is never less than what was claimed, though the store forgot what was signed', async () => {
    const { money, context, ids } = await spender()
    const [record] = await readChannels(context.store)
    assert.ok(record)
    await writeChannel(context.store, { ...record, signedBase: 0n })
    claim(money, record.channelId, 9n)
    const row = (await spending(context)).find(({ channelId }) => channelId === record.channelId)
    assert.deepEqual([row?.signedBase, row?.claimedBase], [9n, 9n])
    assert.equal(row?.remainingBase, (row?.depositBase ?? 0n) - 9n)
    assert.ok(ids.includes(record.channelId))
  })

  it('holds nothing in a channel that is closed', async () => {
    const { money, context } = await spender()
    for (const record of await readChannels(context.store)) {
      await advanceClose(context, record, async () => undefined)
      money.nowSeconds += 90_000
      await advanceClose(context, record, async () => undefined)
    }
    const { channels, totalBase, mftBase } = await balance(context)
    assert.deepEqual(Object.values(channels), [0n, 0n, 0n, 0n])
    assert.equal(totalBase, mftBase)
    assert.ok(
      (await spending(context)).every(({ state, epoch }) => state === 'closed' && epoch === 1),
    )
  })
})
