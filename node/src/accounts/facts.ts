/** What the ledger is told: the state of each channel by the confirmed chain and the relay's own logs. */
import type { ChannelRow, Hex } from '@mainframe/protocol'
import type { Directory } from '../chain/directory.ts'
import { unclaimedOf } from '../payments/credit-ledger.ts'
import type { SignedAmount } from '../payments/signed-log.ts'
import type { StoredVoucher } from '../payments/voucher-log.ts'

interface ChannelFacts {
  id: Hex
  /** The account at the other end. */
  peer: Hex
  medium: Hex
  epoch: number
  isClosed: boolean
  /** Claimed by the payee in earlier epochs, and in all of them. */
  earlierBase: bigint
  claimedBase: bigint
}

/** A channel that pays this relay. */
export interface IncomingFacts extends ChannelFacts {
  kind: 'incoming'
  /** What a claim would pay now. */
  vouchersBase: bigint
}

/** A channel from which this relay pays. */
export interface OutgoingFacts extends ChannelFacts {
  kind: 'outgoing'
  /** What is left in the contract, and how much of it is signed away. */
  restBase: bigint
  signedBase: bigint
}

/** Everything of one moment. */
export interface Facts {
  /** Last block that the chain's part is of. */
  block: number
  channels: (IncomingFacts | OutgoingFacts)[]
}

export interface FactSources {
  /** The hot account, in lower case. */
  account: Hex
  directory: Pick<Directory, 'channels' | 'earlierClaims' | 'confirmedBlock'>
  /** Tokens that this relay takes or pays with, in lower case. */
  media: readonly Hex[]
  /** By channel id. */
  vouchers: ReadonlyMap<string, StoredVoucher>
  signed: ReadonlyMap<string, SignedAmount>
}

/**
 * Everything about this relay's own channels. Anybody may open channels to it in tokens of his own: of
 * those that it neither takes nor has vouchers in, nothing is entered.
 */
export function gatherFacts(sources: FactSources): Facts {
  const { directory, account, vouchers } = sources
  const media = new Set(sources.media)
  const channels: Facts['channels'] = []
  for (const row of directory.channels.values()) {
    const isTaken = media.has(row.token) || vouchers.has(row.channelId)
    if (row.payee === account && isTaken) channels.push(incoming(row, sources))
    else if (row.payer === account) channels.push(outgoing(row, sources))
  }
  return { block: directory.confirmedBlock, channels }
}

function common(row: ChannelRow, { directory }: FactSources) {
  const earlierBase = directory.earlierClaims.get(row.channelId) ?? 0n
  return {
    id: row.channelId,
    medium: row.token,
    epoch: row.epoch,
    isClosed: row.state === 'closed',
    earlierBase,
    claimedBase: earlierBase + row.claimed,
  }
}

function incoming(row: ChannelRow, sources: FactSources): IncomingFacts {
  const vouchersBase = unclaimedOf(row, { entries: sources.vouchers })
  return { kind: 'incoming', ...common(row, sources), peer: row.payer, vouchersBase }
}

function outgoing(row: ChannelRow, sources: FactSources): OutgoingFacts {
  const facts = common(row, sources)
  const restBase = facts.isClosed ? 0n : row.deposit - row.claimed
  const stored = sources.signed.get(row.channelId)
  const signed = stored?.epoch === row.epoch ? stored.amount : 0n
  // what was claimed was signed, whatever became of our log
  const open = signed > row.claimed ? signed - row.claimed : 0n
  const signedBase = open < restBase ? open : restBase
  return { kind: 'outgoing', ...facts, peer: row.payee, restBase, signedBase }
}
