/** What an audit goes by: the relay's logs as they are on disk, and the chain, read anew from its first block. */
import {
  channelId,
  type Deployment,
  domainSeparator,
  errorCode,
  fromHex,
  type Hex,
  MainframeError,
  toHex,
  voucherDigest,
} from '@mainframe/protocol'
import { ChainDirectory } from '../chain/directory.ts'
import { ChainFollower } from '../chain/follow.ts'
import type { Rpc } from '../chain/rpc.ts'
import { SignatureQueue } from '../payments/signatures.ts'
import type { StoredVoucher } from '../payments/voucher-log.ts'
import { type Cash, readCash } from './cash.ts'

export interface ChainQuery {
  rpc: Rpc
  deployment: Deployment
  /** The hot account, in lower case. */
  account: Hex
  /** Hex of the node key. */
  nodeKey: Hex
  /** Tokens whose wallet and vault count, in lower case. */
  media: readonly Hex[]
  /** Depth of the newest block that counts. */
  confirmations: number
  /** Length of the network's epochs. */
  epochSeconds: number
  pollMs: number
}

/** The chain at a block. */
export interface ChainEvidence {
  block: number
  directory: ChainDirectory
  cash: Cash
}

/**
 * Reads the chain up to a block, or up to the newest that counts: also where the chain's node keeps
 * no state so old. Rejects with `CHAIN_UNREACHABLE` when its node lags behind the block, and as
 * `ChainFollower.start`.
 */
export async function readChain(query: ChainQuery, block?: number): Promise<ChainEvidence> {
  const directory = await followTo(query, block)
  if (block !== undefined && directory.confirmedBlock < block) {
    const message = `The chain's node is at block ${directory.confirmedBlock}, and the ledger at ${block}: try again later`
    throw new MainframeError('CHAIN_UNREACHABLE', message, { retryable: true })
  }
  const { rpc, deployment, account, nodeKey, media } = query
  const at = directory.confirmedBlock
  const nodeId = directory.byPeerKey(nodeKey)?.row.nodeId
  try {
    const cash = await readCash({ rpc, deployment, account, nodeId, media, block: at })
    return { block: at, directory, cash }
  } catch (cause) {
    if (block === undefined || errorCode(cause) !== 'CHAIN_REJECTED') throw cause
    return await readChain(query)
  }
}

async function followTo(query: ChainQuery, untilBlock?: number): Promise<ChainDirectory> {
  const { rpc, deployment, account, epochSeconds, pollMs } = query
  const directory = new ChainDirectory({ deployment, account })
  // what the ledger has entered had been confirmed by then
  const upTo = untilBlock === undefined ? {} : { confirmations: 0, untilBlock }
  const depth = { confirmations: query.confirmations, ...upTo }
  const timing = { epochSeconds, pollMs }
  const follower = new ChainFollower({ rpc, deployment, directory, ...timing, ...depth })
  await follower.start()
  await follower.stop()
  return directory
}

/** The vouchers that a claim would be paid for, and the channels of those that it would not. */
export async function checkVouchers(
  vouchers: Iterable<StoredVoucher>,
  { deployment, account }: Pick<ChainQuery, 'deployment' | 'account'>,
  { channels: rows }: Pick<ChainDirectory, 'channels'>,
): Promise<{ good: Map<Hex, StoredVoucher>; bad: Hex[] }> {
  const { chainId, channels } = deployment
  const separator = domainSeparator({ chainId: BigInt(chainId), contract: fromHex(channels) })
  const queue = new SignatureQueue(Number.POSITIVE_INFINITY)
  const good = new Map<Hex, StoredVoucher>()
  const bad: Hex[] = []
  for (const voucher of vouchers) {
    const { epoch, amount, signature, noticeSeconds } = voucher
    // the log has no token; that of no known channel may be any, since nothing is paid for it
    const token = rows.get(voucher.channelId as Hex)?.token ?? deployment.token
    const [payer, signer] = [fromHex(voucher.payer), { account: fromHex(voucher.signer) }]
    const ends = { payer, payee: fromHex(account), token: fromHex(token), signer: signer.account }
    const id = channelId({ ...ends, noticeSeconds })
    const digest = voucherDigest(separator, { channelId: id, epoch, amount })
    const isSigned = await queue.check({ digest, signature, signer })
    if (isSigned && toHex(id) === voucher.channelId) good.set(voucher.channelId, voucher)
    else bad.push(voucher.channelId)
  }
  return { good, bad }
}
