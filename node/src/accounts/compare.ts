/** The ledger against everything else that knows: where they differ, and by how much. */
import type { Hex } from '@mainframe/protocol'
import { type Book, balanceOf, balancesOf } from './book.ts'
import type { Cash } from './cash.ts'
import type { AccountName } from './chart.ts'
import type { Facts, IncomingFacts, OutgoingFacts } from './facts.ts'

/** Amounts in base units, as decimal strings. */
export interface Difference {
  medium: Hex
  account: AccountName
  /** Where it is about one channel, and who is at its other end. */
  channelId?: Hex
  peer?: Hex
  /** What contradicts the entries: logs and chain, or the ledger's own last sheet of balances. */
  by: 'logs and chain' | 'sheet'
  ledgerBase: string
  foundBase: string
  /** Found, less what the ledger has: below zero is missing. */
  differenceBase: string
}

export interface Evidence {
  facts: Pick<Facts, 'channels'>
  cash: Cash
  token: Hex
}

/** Empty when the ledger is right. */
export function findDifferences(book: Book, { facts, cash, token }: Evidence): Difference[] {
  const found: (Difference | undefined)[] = []
  for (const { medium, walletBase, vaultBase } of cash.media) {
    found.push(ofAccount(book, { medium, account: 'wallet' }, walletBase))
    found.push(ofAccount(book, { medium, account: 'vault' }, vaultBase))
  }
  if (cash.stakeBase !== undefined) {
    found.push(ofAccount(book, { medium: token, account: 'stake' }, cash.stakeBase))
  }
  const known = new Set(facts.channels.map(({ id }) => id))
  for (const channel of facts.channels) found.push(...ofChannel(book, channel))
  for (const { id, peer, medium, balances } of book.channels.values()) {
    if (known.has(id)) continue
    for (const [account, base] of balances) {
      found.push(difference({ medium, account, channelId: id, peer }, base, 0n))
    }
  }
  return [...found.filter((one) => one !== undefined), ...ofSheet(book)]
}

type Subject = Pick<Difference, 'medium' | 'account' | 'channelId' | 'peer'>

function difference(
  subject: Subject,
  ledgerBase: bigint,
  foundBase: bigint,
  by: Difference['by'] = 'logs and chain',
): Difference | undefined {
  if (ledgerBase === foundBase) return undefined
  const differenceBase = `${foundBase - ledgerBase}`
  return { ...subject, by, ledgerBase: `${ledgerBase}`, foundBase: `${foundBase}`, differenceBase }
}

function ofAccount(book: Book, subject: Subject, foundBase: bigint): Difference | undefined {
  return difference(subject, balanceOf(book, subject.medium, subject.account), foundBase)
}

function ofChannel(
  { channels }: Book,
  facts: IncomingFacts | OutgoingFacts,
): (Difference | undefined)[] {
  const { id: channelId, peer, medium } = facts
  const of = (account: AccountName) => channels.get(channelId)?.balances.get(account) ?? 0n
  const compare = (account: AccountName, foundBase: bigint) =>
    difference({ medium, account, channelId, peer }, of(account), foundBase)
  if (facts.kind === 'outgoing') {
    return [
      compare('paid', facts.claimedBase),
      compare('signed', facts.signedBase),
      compare('unsigned', facts.restBase - facts.signedBase),
    ]
  }
  return [
    compare('vouchers', facts.vouchersBase),
    compare('vault', facts.claimedBase), // what was claimed of this channel went there
    of('advances') < 0n ? compare('advances', 0n) : undefined,
  ]
}

/** An entry that was taken out of the files, or put in, is not in the sum that was written then. */
function ofSheet(book: Book): Difference[] {
  const { sheet } = book
  const key = ({ medium, account }: { medium: Hex; account: AccountName }) => `${medium} ${account}`
  const written = new Map((sheet?.balances ?? []).map((row) => [key(row), row]))
  const summed = new Map(balancesOf(book).map((row) => [key(row), row]))
  return [...new Map([...written, ...summed])].flatMap(([name, { medium, account }]) => {
    const [entries, sum] = [summed.get(name)?.base ?? 0n, written.get(name)?.base ?? 0n]
    return difference({ medium, account }, entries, sum, 'sheet') ?? []
  })
}
