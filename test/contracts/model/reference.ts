/**
 * What the payment channels promise, once more and in plain words: the reference that the contract is compared
 * with. Amounts are unbounded integers here; nothing of the contract's packing, hashing or storage is repeated.
 */
import type { ClaimRow, Terms } from '../support/channels.ts'
import { Draft, type Facts, Refused } from './draft.ts'
import type { Action, ActionOf, Channel, Outcome, State } from './state.ts'
import { CLOSED } from './state.ts'

const MOST = 2n ** 96n - 1n
const ZERO = '0x0000000000000000000000000000000000000000'
const NOT_OPEN = 1
const NOTHING_NEW = 2
const BAD_SIGNATURE = 3

/** Pure: what `action` does at `time` (Unix seconds, of its block) to `state`. */
export function step(facts: Facts, state: State, action: Action, time: bigint): Outcome {
  const draft = new Draft(facts, state, time)
  try {
    const returned = act(draft, action)
    return { refused: false, state: draft.finished(), events: draft.events, returned }
  } catch (error) {
    if (error instanceof Refused) return { refused: true, error: error.refusal }
    throw error
  }
}

function act(draft: Draft, action: Action): readonly unknown[] {
  const { from } = action
  const value = 'value' in action ? action.value : 0n
  // nobody can send coin that he does not have
  if (draft.wallet(draft.facts.coin, from) < value) throw new Refused(undefined)
  switch (action.kind) {
    case 'wait':
      return []
    case 'approve':
      draft.approve(action.token, from, action.amount)
      return [true]
    case 'transferAndCall':
      return transferAndCall(draft, action)
    case 'onTransferReceived':
      return refuse('ChannelsWrongToken', from)
    case 'deposit':
      return deposit(draft, action, from)
    case 'depositFor':
      if (action.owner === ZERO) refuse('ChannelsZeroAddress')
      return deposit(draft, action, action.owner)
    case 'withdraw':
      return withdraw(draft, action)
    case 'open': {
      const received = draft.pull(action.terms.token, from, action.amount, action.value)
      return [fund(draft, from, action.terms, received, action.expectedEpoch)]
    }
    case 'openWithPermit':
      return openWithPermit(draft, action)
    case 'openFromVault':
      return openFromVault(draft, action)
    case 'claimable':
      return claimable(draft, action)
    case 'claim':
    case 'claimTo':
      return claim(draft, action)
    case 'closeByPayee':
    case 'closeByPayeeTo':
      return closeByPayee(draft, action)
    case 'closeWithRelease':
      return closeWithRelease(draft, action)
    case 'requestClose':
    case 'cancelClose':
      return wish(draft, action)
    case 'finalize':
    case 'finalizeTo':
      return finalize(draft, action)
  }
}

function refuse(name: string, ...args: unknown[]): never {
  throw new Refused({ name, args })
}

function checkRecipient(draft: Draft, to: string): void {
  if (to === ZERO || to === draft.facts.address) refuse('ChannelsBadRecipient', to)
}

function deposit(
  draft: Draft,
  { from, token, amount, value }: ActionOf<'deposit' | 'depositFor'>,
  owner: string,
) {
  const received = draft.pull(token, from, amount, value)
  if (received === 0n) refuse('ChannelsZeroAmount')
  draft.credit(token, owner, received)
  draft.emit('Deposited', owner, token, draft.vault(token, owner))
  return []
}

function withdraw(draft: Draft, { from, token, to, amount }: ActionOf<'withdraw'>) {
  checkRecipient(draft, to)
  if (amount === 0n) refuse('ChannelsZeroAmount')
  draft.debit(token, from, amount)
  draft.emit('Withdrawn', from, token, to, draft.vault(token, from))
  draft.pay(token, to, amount)
  return []
}

function fund(draft: Draft, payer: string, terms: Terms, amount: bigint, expected: number): string {
  const id = draft.facts.idOf(payer, terms)
  const channel = draft.channel(id)
  const fresh = channel.deposit === 0n
  if (fresh) checkTerms(draft, terms)
  const epoch = fresh ? channel.epoch + 1 : channel.epoch
  if (channel.closesAt !== 0n) refuse('ChannelsClosing', id, channel.closesAt)
  if (expected !== 0 && expected !== epoch) refuse('ChannelsWrongEpoch', id, epoch, expected)
  if (amount === 0n) refuse('ChannelsZeroAmount')
  const total = channel.deposit + amount
  if (total > MOST) refuse('ChannelsAmountTooLarge', amount)
  draft.setChannel(id, { ...channel, deposit: total, epoch })
  const { payee, token, signer, notice } = terms
  if (fresh) draft.emit('Opened', id, payer, payee, token, signer, notice, epoch, total)
  else draft.emit('ToppedUp', id, total)
  return id
}

function checkTerms({ facts }: Draft, { payee, signer, notice }: Terms): void {
  if (payee === ZERO || signer === ZERO) refuse('ChannelsZeroAddress')
  const { minimumNotice, maximumNotice } = facts
  if (notice < minimumNotice || notice > maximumNotice) {
    refuse('ChannelsBadNotice', notice, minimumNotice, maximumNotice)
  }
}

function transferAndCall(
  draft: Draft,
  { from, terms, amount, garbled }: ActionOf<'transferAndCall'>,
) {
  const { mft, address } = draft.facts
  draft.move(mft, from, address, amount)
  if (garbled) refuse('ERC1363InvalidReceiver', address)
  fund(draft, from, { ...terms, token: mft }, amount, 0)
  return [true]
}

function openWithPermit(draft: Draft, action: ActionOf<'openWithPermit'>) {
  const { from, terms, amount, permit } = action
  // there is no contract at the coin's address to ask for a permit
  if (terms.token === ZERO) throw new Refused(undefined)
  draft.usePermit(terms.token, from, amount, permit)
  const received = draft.pull(terms.token, from, amount, 0n)
  return [fund(draft, from, terms, received, action.expectedEpoch)]
}

function openFromVault(draft: Draft, { from, token, notice, rows }: ActionOf<'openFromVault'>) {
  if (rows.length === 0) refuse('ChannelsNoRows')
  for (const { payee, signer, amount, expectedEpoch } of rows) {
    fund(draft, from, { payee, token, signer, notice }, amount, expectedEpoch)
  }
  const sum = rows.reduce((total, row) => total + row.amount, 0n)
  draft.debit(token, from, sum)
  return []
}

interface Batch {
  payee: string
  token: string
  notice: number
}

/** What a voucher is worth, or why it is worth nothing. */
function judge(draft: Draft, { payee, token, notice }: Batch, row: ClaimRow) {
  const { payer, signer, amount } = row
  const id = draft.facts.idOf(payer, { payee, token, signer, notice })
  const channel = draft.channel(id)
  const worthless = (reason: number) => ({ id, channel, due: 0n, reason })
  if (channel.deposit === 0n) return worthless(NOT_OPEN)
  const covered = amount < channel.deposit ? amount : channel.deposit
  if (covered <= channel.claimed) return worthless(NOTHING_NEW)
  const recovered = draft.facts.voucherSigner(id, channel.epoch, amount, row)
  if (recovered !== signer) return worthless(BAD_SIGNATURE)
  return { id, channel, due: covered - channel.claimed, reason: 0 }
}

function claimable(draft: Draft, action: ActionOf<'claimable'>) {
  const each = action.rows.map((row) => judge(draft, action, row).due)
  return [each.reduce((total, due) => total + due, 0n), each]
}

function claim(draft: Draft, action: ActionOf<'claim' | 'claimTo'>) {
  if (action.kind === 'claimTo') checkRecipient(draft, action.to)
  const { token, notice } = action
  const payee = action.kind === 'claim' ? action.payee : action.from
  let total = 0n
  for (const row of action.rows) {
    const { id, channel, due, reason } = judge(draft, { payee, token, notice }, row)
    const claimed = channel.claimed + due
    if (reason !== 0) draft.emit('Skipped', id, payee, reason)
    else draft.setChannel(id, { ...channel, claimed })
    if (reason === 0) draft.emit('Claimed', id, payee, claimed)
    total += due
  }
  if (action.kind === 'claim') draft.credit(token, payee, total)
  else draft.pay(token, action.to, total)
  return [total]
}

function closeByPayee(draft: Draft, action: ActionOf<'closeByPayee' | 'closeByPayeeTo'>) {
  if (action.kind === 'closeByPayeeTo') checkRecipient(draft, action.to)
  const { from: payee, token, notice } = action
  let total = 0n
  for (const row of action.rows) {
    const { id, channel, due, reason } = judge(draft, { payee, token, notice }, row)
    if (reason === NOT_OPEN || reason === BAD_SIGNATURE) {
      draft.emit('Skipped', id, payee, reason)
      continue
    }
    draft.credit(token, row.payer, close(draft, id, payee, channel, due))
    total += due
  }
  if (action.kind === 'closeByPayee') draft.credit(token, payee, total)
  else draft.pay(token, action.to, total)
  return [total]
}

/** Closes after a last payment of `due`; the rest, which it returns, is the payer's. */
function close(draft: Draft, id: string, payee: string, channel: Channel, due: bigint): bigint {
  const claimed = channel.claimed + due
  const refund = channel.deposit - claimed
  draft.setChannel(id, { ...CLOSED, epoch: channel.epoch })
  draft.emit('Closed', id, payee, claimed, refund)
  return refund
}

function ownOpenChannel(draft: Draft, { from, terms }: { from: string; terms: Terms }) {
  const id = draft.facts.idOf(from, terms)
  const channel = draft.channel(id)
  if (channel.deposit === 0n) refuse('ChannelsNotOpen', id)
  return { id, channel }
}

function closeWithRelease(draft: Draft, action: ActionOf<'closeWithRelease'>) {
  const { from, terms, amount } = action
  const { id, channel } = ownOpenChannel(draft, action)
  if (amount > channel.deposit) refuse('ChannelsAboveDeposit', id, amount, channel.deposit)
  const recovered = draft.facts.releaseSigner(id, channel.epoch, amount, action)
  if (recovered !== terms.payee) refuse('ChannelsBadRelease', id, recovered)
  const due = amount > channel.claimed ? amount - channel.claimed : 0n
  const refund = close(draft, id, terms.payee, channel, due)
  draft.credit(terms.token, terms.payee, due)
  draft.credit(terms.token, from, refund)
  return []
}

function wish(draft: Draft, action: ActionOf<'requestClose' | 'cancelClose'>) {
  const { id, channel } = ownOpenChannel(draft, action)
  const closing = channel.closesAt !== 0n
  if (action.kind === 'requestClose') {
    if (closing) refuse('ChannelsClosing', id, channel.closesAt)
    const closesAt = draft.time + BigInt(action.terms.notice)
    draft.setChannel(id, { ...channel, closesAt })
    draft.emit('CloseRequested', id, action.terms.payee, closesAt)
  } else {
    if (!closing) refuse('ChannelsNotClosing', id)
    draft.setChannel(id, { ...channel, closesAt: 0n })
    draft.emit('CloseCancelled', id)
  }
  return []
}

function finalize(draft: Draft, action: ActionOf<'finalize' | 'finalizeTo'>) {
  const { from, terms } = action
  if (action.kind === 'finalizeTo') checkRecipient(draft, action.to)
  const { id, channel } = ownOpenChannel(draft, action)
  const { closesAt } = channel
  if (closesAt === 0n) refuse('ChannelsNotClosing', id)
  if (draft.time < closesAt) refuse('ChannelsNoticeRunning', id, closesAt, draft.time)
  const refund = close(draft, id, terms.payee, channel, 0n)
  if (action.kind === 'finalize') draft.credit(terms.token, from, refund)
  else draft.pay(terms.token, action.to, refund)
  return []
}
