/** A payee with its ledger, and payers with channels, on a real chain. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  BASE_PER_UNIT,
  COIN_TOKEN,
  type Credit,
  type Deployment,
  domainSeparator,
  fromHex,
  type Hex,
  signDigest,
  channelId as voucherChannelId,
  voucherDigest,
} from '@mainframe/protocol'
import { AbiCoder } from 'ethers'
import {
  callView,
  channelsContract,
  TRANSFER_AND_CALL,
  tokenContract,
} from '../../../node/src/chain/contracts.ts'
import type { ChainDirectory } from '../../../node/src/chain/directory.ts'
import type { ChainFollower, FollowerOptions } from '../../../node/src/chain/follow.ts'
import { Rpc } from '../../../node/src/chain/rpc.ts'
import type { TransactionSender } from '../../../node/src/chain/transactions.ts'
import type { ClaimResult } from '../../../node/src/payments/claims.ts'
import {
  CreditLedger,
  type MediumTerms,
  type PaymentTerms,
} from '../../../node/src/payments/credit-ledger.ts'
import { Releases } from '../../../node/src/payments/releases.ts'
import { openSignedLog } from '../../../node/src/payments/signed-log.ts'
import { openVoucherLog, type VoucherLog } from '../../../node/src/payments/voucher-log.ts'
import type { TestChain } from '../../helpers/chain.ts'
import { follow, MFT, newFolder, senderOf } from '../chain-support.ts'

export const DEPTH = 2
export const NOTICE_SECONDS = 7_200
export const UNIT = BASE_PER_UNIT
export const MAX_VIEW_AGE_SECONDS = 1_800

export function domainOf({ chainId, channels }: Deployment) {
  return { chainId: BigInt(chainId), contract: fromHex(channels) }
}

export function termsOf({ token }: Deployment): PaymentTerms {
  return {
    media: [{ token, minDepositBase: MFT, baseUnitsPerUnit: UNIT }],
    minNoticeSeconds: NOTICE_SECONDS,
    maxWindowUnits: 100_000,
  }
}

export interface Payee {
  account: Hex
  secretKey: Uint8Array
  folder: string
  directory: ChainDirectory
  follower: ChainFollower
  vouchers: VoucherLog
  ledger: CreditLedger
  releases: Releases
  sender: TransactionSender
  /** Until the confirmed view has what was mined so far. */
  confirm(): Promise<void>
  /** Ends everything, as a crash would, but for the files. */
  stop(): Promise<void>
  /** After {@link stop}. */
  remove(): Promise<void>
}

/** The same account and folder again make a restarted payee. */
export async function startPayee(
  chain: TestChain,
  before?: Pick<Payee, 'account' | 'secretKey' | 'folder'>,
  {
    media,
    maxPending,
    ...following
  }: {
    media?: readonly MediumTerms[]
    maxPending?: number
  } & Partial<FollowerOptions> = {},
): Promise<Payee> {
  const { account, secretKey } = before ?? (await chain.createAccount(0n))
  const folder = before?.folder ?? (await newFolder())
  const { deployment } = chain
  const { directory, follower } = follow(chain, account, { confirmations: DEPTH, ...following })
  await follower.start()
  const vouchers = await openVoucherLog(join(folder, 'vouchers.log'))
  const terms = { ...termsOf(deployment), ...(media && { media }) }
  const domain = domainOf(deployment)
  let isStopped = false
  const released = await openSignedLog(join(folder, 'released.log'))
  const common = { directory, released, payee: account, domain }
  const ledger = new CreditLedger({
    ...common,
    viewAgeSeconds: () => follower.age.viewSeconds,
    maxViewAgeSeconds: MAX_VIEW_AGE_SECONDS,
    vouchers,
    terms,
    ...(maxPending === undefined ? {} : { maxPending }),
  })
  const releases = new Releases({ ...common, ledger, payeeSecret: secretKey })
  return {
    account,
    secretKey,
    folder,
    directory,
    follower,
    vouchers,
    ledger,
    releases,
    sender: senderOf(chain, secretKey),
    confirm: () => confirm(chain, directory),
    stop: async () => {
      if (isStopped) return
      isStopped = true
      ledger.close()
      await follower.stop()
      await vouchers.close()
      await released.close()
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

export async function confirm(chain: TestChain, directory: ChainDirectory): Promise<void> {
  await chain.mine(DEPTH)
  const target = Number(await chain.request('eth_blockNumber')) - DEPTH
  while (directory.confirmedBlock < target) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** What an account has in its vault, as mined. */
export async function vaultOf(chain: TestChain, { account }: { account: Hex }): Promise<bigint> {
  const [balances] = await callView(new Rpc({ url: chain.rpcUrl }), {
    to: chain.deployment.channels,
    contract: channelsContract,
    method: 'vaults',
    args: [[chain.deployment.token], account],
  })
  return balances[0]
}

export interface Payer {
  account: Hex
  secretKey: Uint8Array
  sender: TransactionSender
}

export async function createPayer(chain: TestChain, mftBase = 1_000n * MFT): Promise<Payer> {
  const { account, secretKey } = await chain.createAccount(mftBase)
  return { account, secretKey, sender: senderOf(chain, secretKey) }
}

/** Opens a channel or adds to it. */
export async function deposit(
  { deployment }: TestChain,
  payer: Payer,
  wish: { payee: Hex; amount: bigint; notice?: number; token?: Hex },
): Promise<void> {
  const { payee, amount, notice = NOTICE_SECONDS, token = deployment.token } = wish
  if (token === COIN_TOKEN) {
    const channel = [payee, token, payer.account, notice]
    const data = channelsContract.encodeFunctionData('open', [channel, amount, 0]) as Hex
    await payer.sender.send({ to: deployment.channels, data, what: 'open', valueBase: amount })
    return
  }
  const terms = AbiCoder.defaultAbiCoder().encode(
    ['address', 'address', 'uint32'],
    [payee, payer.account, notice],
  )
  const args = [deployment.channels, amount, terms]
  const data = tokenContract.encodeFunctionData(TRANSFER_AND_CALL, args) as Hex
  await payer.sender.send({ to: deployment.token, data, what: 'open' })
}

/** One of the payer's exits. */
export async function exit(
  { deployment }: TestChain,
  payer: Payer,
  wish: { payee: Hex; method: 'requestClose' | 'cancelClose' | 'finalize'; token?: Hex },
): Promise<void> {
  const { payee, method, token = deployment.token } = wish
  const terms = [payee, token, payer.account, NOTICE_SECONDS]
  const data = channelsContract.encodeFunctionData(method, [terms]) as Hex
  await payer.sender.send({ to: deployment.channels, data, what: method })
}

/** A CREDIT as the payer's link would send it. */
export function creditOf(
  { deployment }: TestChain,
  payer: Pick<Payer, 'account' | 'secretKey'>,
  wish: { payee: Hex; units: number; epoch?: number; notice?: number; token?: Hex },
): Credit {
  const { payee, units, epoch = 1, notice = NOTICE_SECONDS, token = deployment.token } = wish
  const account = fromHex(payer.account)
  const terms = { payer: account, token: fromHex(token), signer: account }
  const amount = BigInt(units) * UNIT
  const id = voucherChannelId({ ...terms, payee: fromHex(payee), noticeSeconds: notice })
  const separator = domainSeparator(domainOf(deployment))
  const digest = voucherDigest(separator, { channelId: id, epoch, amount })
  const signature = signDigest(digest, payer.secretKey)
  return { ...terms, noticeSeconds: notice, epoch, amount, signature }
}

/** What a round of claims paid in MFT. */
export function mftOf({ deployment }: TestChain, result: ClaimResult | undefined): bigint {
  return result?.paid[deployment.token] ?? 0n
}
