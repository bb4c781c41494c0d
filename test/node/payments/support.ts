/** A payee with its ledger, and payers with channels, on a real chain. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  BASE_PER_UNIT,
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
  channelsContract,
  TRANSFER_AND_CALL,
  tokenContract,
} from '../../../node/src/chain/contracts.ts'
import type { ChainDirectory } from '../../../node/src/chain/directory.ts'
import type { ChainFollower } from '../../../node/src/chain/follow.ts'
import type { TransactionSender } from '../../../node/src/chain/transactions.ts'
import {
  CreditLedger,
  type MediumTerms,
  type PaymentTerms,
} from '../../../node/src/payments/credit-ledger.ts'
import { openVoucherLog, type VoucherLog } from '../../../node/src/payments/voucher-log.ts'
import type { TestChain } from '../../helpers/chain.ts'
import { follow, MFT, newFolder, senderOf } from '../chain-support.ts'

export const DEPTH = 2
export const NOTICE_SECONDS = 7_200
export const UNIT = BASE_PER_UNIT

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
  { media, ...options }: { maxPending?: number; media?: readonly MediumTerms[] } = {},
): Promise<Payee> {
  const { account, secretKey } = before ?? (await chain.createAccount(0n))
  const folder = before?.folder ?? (await newFolder())
  const { deployment } = chain
  const { directory, follower } = follow(chain, account, { confirmations: DEPTH })
  await follower.start()
  const vouchers = await openVoucherLog(join(folder, 'vouchers.log'))
  const terms = { ...termsOf(deployment), ...(media && { media }) }
  const domain = domainOf(deployment)
  let isStopped = false
  const ledger = new CreditLedger({
    directory,
    vouchers,
    payee: account,
    domain,
    terms,
    ...options,
  })
  return {
    account,
    secretKey,
    folder,
    directory,
    follower,
    vouchers,
    ledger,
    sender: senderOf(chain, secretKey),
    confirm: () => confirm(chain, directory),
    stop: async () => {
      if (isStopped) return
      isStopped = true
      ledger.close()
      await follower.stop()
      await vouchers.close()
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

export async function confirm(chain: TestChain, directory: ChainDirectory): Promise<void> {
  await chain.mine(DEPTH)
  const target = Number(await chain.request('eth_blockNumber')) - DEPTH
  while (directory.confirmedBlock < target) await new Promise((resolve) => setTimeout(resolve, 5))
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
  { payee, amount, notice = NOTICE_SECONDS }: { payee: Hex; amount: bigint; notice?: number },
): Promise<void> {
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
  { payee, method }: { payee: Hex; method: 'requestClose' | 'cancelClose' | 'finalize' },
): Promise<void> {
  const terms = [payee, deployment.token, payer.account, NOTICE_SECONDS]
  const data = channelsContract.encodeFunctionData(method, [terms]) as Hex
  await payer.sender.send({ to: deployment.channels, data, what: method })
}

/** A CREDIT as the payer's link would send it. */
export function creditOf(
  { deployment }: TestChain,
  payer: Pick<Payer, 'account' | 'secretKey'>,
  wish: { payee: Hex; units: number; epoch?: number; notice?: number },
): Credit {
  const { payee, units, epoch = 1, notice = NOTICE_SECONDS } = wish
  const account = fromHex(payer.account)
  const terms = { payer: account, token: fromHex(deployment.token), signer: account }
  const amount = BigInt(units) * UNIT
  const id = voucherChannelId({ ...terms, payee: fromHex(payee), noticeSeconds: notice })
  const separator = domainSeparator(domainOf(deployment))
  const digest = voucherDigest(separator, { channelId: id, epoch, amount })
  const signature = signDigest(digest, payer.secretKey)
  return { ...terms, noticeSeconds: notice, epoch, amount, signature }
}
