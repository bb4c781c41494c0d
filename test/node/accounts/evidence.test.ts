import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  channelId,
  type Deployment,
  domainSeparator,
  fromHex,
  type Hex,
  secretKeyAccount,
  signDigest,
  toHex,
  voucherDigest,
} from '@mainframe/protocol'
import { checkVouchers } from '../../../node/src/accounts/evidence.ts'
import type { StoredVoucher } from '../../../node/src/payments/voucher-log.ts'

const at = (byte: string): Hex => `0x${byte.repeat(20)}`
const deployment: Deployment = {
  chainId: 31_337,
  block: 1,
  token: at('aa'),
  registry: at('01'),
  board: at('02'),
  channels: at('03'),
}
const account = at('ee')
const secretKey = new Uint8Array(32).fill(9)

function voucher(amount: bigint): StoredVoucher {
  const payer = secretKeyAccount(secretKey)
  const ends = { payer, payee: fromHex(account), token: fromHex(deployment.token), signer: payer }
  const id = channelId({ ...ends, noticeSeconds: 3_600 })
  const contract = fromHex(deployment.channels)
  const separator = domainSeparator({ chainId: BigInt(deployment.chainId), contract })
  const digest = voucherDigest(separator, { channelId: id, epoch: 1, amount })
  return {
    channelId: toHex(id),
    epoch: 1,
    amount,
    signature: signDigest(digest, secretKey),
    payer: toHex(payer),
    signer: toHex(payer),
    noticeSeconds: 3_600,
  }
}

describe('The vouchers that an audit counts', () => {
  it('are those that the contract would pay, and no others', async () => {
    const right = voucher(1_000n)
    const none = { channels: new Map() }
    const check = (vouchers: StoredVoucher[]) =>
      checkVouchers(vouchers, { deployment, account }, none)
    assert.deepEqual(await check([right]), { good: new Map([[right.channelId, right]]), bad: [] })
    const wrong: Partial<StoredVoucher>[] = [
      { amount: 1_001n },
      { epoch: 2 },
      { noticeSeconds: 3_601 },
      { payer: at('11') },
      { signer: at('11') },
      { channelId: `0x${'cc'.repeat(32)}` },
      { signature: new Uint8Array(64) },
    ]
    for (const change of wrong) {
      const changed = { ...right, ...change }
      const { good, bad } = await check([changed])
      assert.deepEqual(
        [good.size, bad],
        [0, [changed.channelId]],
        JSON.stringify(Object.keys(change)),
      )
    }
  })
})
