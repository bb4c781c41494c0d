/** Channels and vouchers of payees that a watchtower may serve, as a directory would have them. */
import { randomBytes } from 'node:crypto'
import {
  BASE_PER_UNIT,
  type ChannelRow,
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
import type { Directory, RelayEntry } from '../../../node/src/chain/directory.ts'
import type { StoredVoucher } from '../../../node/src/payments/voucher-log.ts'
import { requestDigest, wireVoucher } from '../../../node/src/watchtower/wire.ts'

export const deployment: Deployment = {
  chainId: 31_337,
  block: 1,
  token: `0x${'11'.repeat(20)}`,
  registry: `0x${'22'.repeat(20)}`,
  board: `0x${'33'.repeat(20)}`,
  channels: `0x${'44'.repeat(20)}`,
}
export const NOTICE_SECONDS = 7_200
export const DEPOSIT = 1_000_000n * BASE_PER_UNIT

const separator = domainSeparator({
  chainId: BigInt(deployment.chainId),
  contract: fromHex(deployment.channels),
})

/** A payee's account. */
export interface Account {
  account: Hex
  secretKey: Uint8Array
}

export function createAccount(): Account {
  const secretKey = Uint8Array.from(randomBytes(32))
  return { secretKey, account: toHex(secretKeyAccount(secretKey)) }
}

/** What a watchtower has seen of the chain. */
export class SeenChain implements Pick<Directory, 'channels' | 'relays'> {
  readonly channels = new Map<Hex, ChannelRow>()
  readonly relays = new Map<Hex, RelayEntry>()

  register(payee: Hex): void {
    this.relays.set(payee, { row: { payee } } as RelayEntry)
  }

  /** Opens a channel to a payee; vouchers on it are made by {@link voucher}. */
  open(payee: Hex, token = deployment.token): { row: ChannelRow; payer: Account } {
    const payer = createAccount()
    const terms = {
      payer: fromHex(payer.account),
      payee: fromHex(payee),
      token: fromHex(token),
      signer: fromHex(payer.account),
      noticeSeconds: NOTICE_SECONDS,
    }
    const row: ChannelRow = {
      channelId: toHex(channelId(terms)),
      payer: payer.account,
      payee,
      token,
      signer: payer.account,
      noticeSeconds: NOTICE_SECONDS,
      epoch: 1,
      deposit: DEPOSIT,
      claimed: 0n,
      closesAt: 0,
      state: 'open',
      updatedBlock: 1,
    }
    this.channels.set(row.channelId, row)
    return { row, payer }
  }
}

export function voucher(
  { row, payer }: { row: ChannelRow; payer: Account },
  units: number,
  epoch = row.epoch,
): StoredVoucher {
  const { channelId: id, noticeSeconds } = row
  const amount = BigInt(units) * BASE_PER_UNIT
  const digest = voucherDigest(separator, { channelId: fromHex(id), epoch, amount })
  const signature = signDigest(digest, payer.secretKey)
  const terms = { channelId: id, payer: row.payer, signer: row.signer, noticeSeconds }
  return { ...terms, epoch, amount, signature }
}

/** A request as a payee sends it; any part of it may be falsified. */
export function requestOf(
  payee: Account,
  vouchers: readonly StoredVoucher[],
  {
    time = Math.floor(Date.now() / 1_000),
    signWith = payee.secretKey,
    of = deployment,
    token = deployment.token,
  } = {},
): [body: Uint8Array, signature: Uint8Array] {
  const told = vouchers.map((voucher) => wireVoucher(voucher, token))
  const request = { payee: payee.account, time, vouchers: told }
  const body = Buffer.from(JSON.stringify(request))
  return [body, signDigest(requestDigest(of, body), signWith)]
}
