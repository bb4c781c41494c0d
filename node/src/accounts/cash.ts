/** Wallet, vault, stake and coin of the relay: read at one block, and entered. */
import { type Deployment, errorCode, type Hex } from '@mainframe/protocol'
import { toQuantity } from 'ethers'
import { callView, channelsContract, registryContract, tokenContract } from '../chain/contracts.ts'
import type { Rpc } from '../chain/rpc.ts'
import { type Book, balanceOf, post } from './book.ts'
import { type AccountName, COIN } from './chart.ts'

export interface Cash {
  /** Without those that do not tell. */
  media: readonly { medium: Hex; walletBase: bigint; vaultBase: bigint }[]
  /** `undefined` while the node's id is not known. */
  stakeBase: bigint | undefined
}

export interface CashQuery {
  rpc: Rpc
  deployment: Deployment
  account: Hex
  nodeId: Hex | undefined
  /** Tokens, in lower case. */
  media: readonly Hex[]
  block: number
}

/** What the chain said at a block. Errors as `callView`: `CHAIN_REJECTED` where no state so old is kept. */
export async function readCash(query: CashQuery): Promise<Cash> {
  const { deployment, account, media, block } = query
  const at = { rpc: query.rpc, block: toQuantity(block) }
  const [vaults, wallets, stakeBase] = await Promise.all([
    view(at, {
      to: deployment.channels,
      contract: channelsContract,
      method: 'vaults',
      args: [media, account],
    }) as Promise<bigint[]>,
    Promise.all(media.map((medium) => readWalletOr(at, medium, query))),
    query.nodeId && readStake(at, deployment, query.nodeId),
  ])
  const rows = media.flatMap((medium, i) => {
    const [walletBase, vaultBase = 0n] = [wallets[i], vaults[i]]
    return walletBase === undefined ? [] : [{ medium, walletBase, vaultBase }]
  })
  return { media: rows, stakeBase }
}

interface Place {
  rpc: Rpc
  block: string
}

async function view({ rpc, block }: Place, call: Parameters<typeof callView>[1]): Promise<unknown> {
  const [answer] = await callView(rpc, { ...call, block })
  return answer
}

/**
 * `undefined` for a token that does not tell, such as one whose address is mistyped in the settings: the
 * books of the others go on.
 */
async function readWalletOr(
  at: Place,
  medium: Hex,
  { deployment, account }: CashQuery,
): Promise<bigint | undefined> {
  const isOther = medium !== COIN && medium !== deployment.token
  return await readWallet(at, medium, account).catch((cause: unknown) => {
    const code = errorCode(cause)
    if (isOther && (code === 'CHAIN_REJECTED' || code === 'CHAIN_MISMATCH')) return undefined
    throw cause
  })
}

async function readWallet(at: Place, medium: Hex, account: Hex): Promise<bigint> {
  if (medium === COIN) {
    return BigInt(await at.rpc.request<Hex>('eth_getBalance', [account, at.block]))
  }
  const call = { to: medium, contract: tokenContract, method: 'balanceOf', args: [account] }
  return (await view(at, call)) as bigint
}

async function readStake(at: Place, { registry }: Deployment, nodeId: Hex): Promise<bigint> {
  const call = { to: registry, contract: registryContract, method: 'states', args: [[nodeId]] }
  const [state] = (await view(at, call)) as { stake: bigint }[]
  return state?.stake ?? 0n
}

/**
 * Enters what channels and gas do not explain: money that moved between wallet and vault, came from
 * outside, or went there. What came and went between two looks is one amount.
 */
export function settleCash(
  book: Book,
  day: number,
  cash: Cash & { token: Hex; gasBase: bigint },
): void {
  const mover = (medium: Hex) => (debit: AccountName, credit: AccountName, amountBase: bigint) =>
    post(book, { day, medium, debit, credit, channel: undefined, amountBase })
  mover(COIN)('gas', 'wallet', cash.gasBase)
  for (const { medium, walletBase, vaultBase } of cash.media) {
    const move = mover(medium)
    const innerBase = innerMove(
      walletBase - balanceOf(book, medium, 'wallet'),
      vaultBase - balanceOf(book, medium, 'vault'),
    )
    move('wallet', 'vault', innerBase)
    for (const [place, base] of [['wallet', walletBase] as const, ['vault', vaultBase] as const]) {
      const moreBase = base - balanceOf(book, medium, place)
      if (moreBase > 0n) move(place, 'brought', moreBase)
      else move(medium === COIN ? 'unseen' : 'withdrawn', place, -moreBase)
    }
  }
  if (cash.stakeBase === undefined) return
  const stakeMore = cash.stakeBase - balanceOf(book, cash.token, 'stake')
  if (stakeMore > 0n) mover(cash.token)('stake', 'brought', stakeMore)
  else mover(cash.token)('withdrawn', 'stake', -stakeMore)
}

/** How much of two changes is one move between them, from the vault to the wallet. */
function innerMove(walletMore: bigint, vaultMore: bigint): bigint {
  if (walletMore > 0n && vaultMore < 0n) return walletMore < -vaultMore ? walletMore : -vaultMore
  if (walletMore < 0n && vaultMore > 0n) return -walletMore < vaultMore ? walletMore : -vaultMore
  return 0n
}
