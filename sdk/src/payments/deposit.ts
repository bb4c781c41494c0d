/** Money into a channel: by one transaction, but for tokens that know no permits. */
import { type ChannelTerms, COIN_TOKEN, type Hex, MainframeError, toHex } from '@mainframe/protocol'
import { AbiCoder } from 'ethers'
import type { Account } from '../chain/account.ts'
import { type Chain, contractInterfaces } from '../chain/chain.ts'
import { signPermit } from '../chain/permits.ts'

/** Who pays. */
export interface DepositContext {
  chain: Chain
  account: Account
}

/** Kept for gas when the coin itself is deposited: it pays for opening and closing at 100 gwei. */
const COIN_KEPT_BASE = 2n * 10n ** 16n
const WHAT = 'a deposit into a channel'

/**
 * Opens a channel or adds to it: `wanted`, or what the wallet has if that is at least `least`. Throws
 * `PAYMENT_INSUFFICIENT`, `CHAIN_REJECTED`.
 */
export async function deposit(
  ctx: DepositContext,
  terms: ChannelTerms,
  { wanted, least }: { wanted: bigint; least: bigint },
): Promise<void> {
  const token = toHex(terms.token)
  const wallet = await spendable(ctx, token)
  if (wallet < least) throw insufficient(ctx, token, { needed: least, wallet })
  const amount = wanted > wallet ? wallet : wanted
  if (token === ctx.chain.deployment.token.toLowerCase()) return await ofMft(ctx, terms, amount)
  if (token === COIN_TOKEN) return await open(ctx, { terms, amount, value: amount })
  await ofErc20(ctx, terms, amount)
}

async function spendable({ chain, account }: DepositContext, token: Hex): Promise<bigint> {
  const { wallet } = await chain.funds(token, account.address)
  if (token !== COIN_TOKEN) return wallet
  return wallet > COIN_KEPT_BASE ? wallet - COIN_KEPT_BASE : 0n
}

async function ofMft(
  { chain, account }: DepositContext,
  { payee, signer, noticeSeconds }: ChannelTerms,
  amount: bigint,
): Promise<void> {
  const { token: to, channels } = chain.deployment
  const opening = AbiCoder.defaultAbiCoder().encode(
    ['address', 'address', 'uint32'],
    [toHex(payee), toHex(signer), noticeSeconds],
  )
  const method = 'transferAndCall(address,uint256,bytes)'
  const args = [channels, amount, opening]
  const data = contractInterfaces.token.encodeFunctionData(method, args)
  await account.send({ to, data, what: WHAT })
}

/** Of a token without permits just this amount is approved. */
async function ofErc20(ctx: DepositContext, terms: ChannelTerms, amount: bigint): Promise<void> {
  const { chain, account } = ctx
  const to = toHex(terms.token)
  const { channels } = chain.deployment
  const [allowance] = await chain.erc20(to, 'allowance', [account.address, channels])
  if (BigInt(String(allowance)) >= amount) return await open(ctx, { terms, amount })
  const permit = await signPermit(ctx, to, amount)
  if (permit) return await open(ctx, { terms, amount, permit })
  const data = contractInterfaces.erc20.encodeFunctionData('approve', [channels, amount])
  await account.send({ to, data, what: 'an approval' })
  await open(ctx, { terms, amount })
}

async function open(
  { chain, account }: DepositContext,
  opening: { terms: ChannelTerms; amount: bigint; value?: bigint; permit?: object },
): Promise<void> {
  const { terms, amount, value = 0n, permit } = opening
  const { payee, token, signer, noticeSeconds: notice } = terms
  const channel = { payee: toHex(payee), token: toHex(token), signer: toHex(signer), notice }
  const { channels } = contractInterfaces
  const data = permit
    ? channels.encodeFunctionData('openWithPermit', [channel, amount, 0, permit])
    : channels.encodeFunctionData('open', [channel, amount, 0])
  await account.send({ to: chain.deployment.channels, data, value, what: WHAT })
}

function insufficient(
  { chain }: DepositContext,
  token: Hex,
  { needed, wallet }: { needed: bigint; wallet: bigint },
): MainframeError {
  const isMft = token === chain.deployment.token.toLowerCase()
  const name = isMft ? 'MFT' : token === COIN_TOKEN ? 'of the coin' : `of ${token}`
  return new MainframeError(
    'PAYMENT_INSUFFICIENT',
    `The account has too little ${name} for the deposit; send it some`,
    { details: { token, neededBase: `${needed}`, walletBase: `${wallet}` } },
  )
}
