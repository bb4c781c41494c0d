/** What is proved of one channel, and the faults that have to be found out. */
import type { Replacement } from './checker.ts'

export interface Property {
  /** The model in proofs/. */
  model: string
  what: string
}

/** A fault of the shipped arithmetic or of the model, and the property that it breaks. */
export interface Fault extends Replacement {
  what: string
  breaks: string
}

const MATH = 'contracts/libraries/ChannelMath.sol'
const MODEL = 'proofs/OneChannel.sol'

export const PROPERTIES: readonly Property[] = [
  { model: 'Bounds', what: '0 <= claimed <= deposit < 2^96' },
  { model: 'Custody', what: 'what came in is what went out, the vaults and the open channel' },
  { model: 'Monotonic', what: 'deposit and claimed never fall within an epoch, and epochs grow' },
  { model: 'Signed', what: 'the payee never has more than was signed or released' },
  { model: 'Notice', what: 'no refund without the payee before the notice has passed' },
]

export const FAULTS: readonly Fault[] = [
  {
    what: 'a deposit may pass 2^96',
    breaks: 'Bounds',
    file: MATH,
    from: 'return type(uint96).max - deposit;',
    to: 'return type(uint256).max - deposit;',
  },
  {
    what: 'a voucher above the deposit is paid in full',
    breaks: 'Bounds',
    file: MATH,
    from: 'amount < deposit ? amount : deposit',
    to: 'amount',
  },
  {
    what: 'closing leaves claimed as it was',
    breaks: 'Bounds',
    file: MODEL,
    from: '(_deposit, _claimed, _closesAt) = (0, 0, 0);',
    to: '(_deposit, _closesAt) = (0, 0);',
  },
  {
    what: 'the payer gets back what was claimed',
    breaks: 'Custody',
    file: MATH,
    from: 'return deposit - claimed;',
    to: 'return deposit;',
  },
  {
    what: 'a claim is paid and not written down',
    breaks: 'Custody',
    file: MODEL,
    from: '_claimed += paid;\n    _payeesVault',
    to: '_payeesVault',
  },
  {
    what: 'a claim forgets what was claimed before',
    breaks: 'Monotonic',
    file: MODEL,
    from: '_claimed + paid, _epoch);\n    _claimed += paid;',
    to: 'paid, _epoch);\n    _claimed = paid;',
  },
  {
    what: 'a channel is opened anew in the old epoch',
    breaks: 'Monotonic',
    file: MODEL,
    from: 'epoch += 1;',
    to: '',
  },
  {
    what: 'every voucher pays the whole deposit',
    breaks: 'Signed',
    file: MATH,
    from: 'amount < deposit ? amount : deposit',
    to: 'deposit',
  },
  {
    what: 'a close pays a voucher that nobody signed',
    breaks: 'Signed',
    file: MODEL,
    from: 'require(paid == 0 || amount <= _agreed);',
    to: '',
  },
  {
    what: 'the payer finalizes at any time',
    breaks: 'Notice',
    file: MODEL,
    from: 'require(block.timestamp >= _closesAt);',
    to: '',
  },
  {
    what: 'a requested close has no notice',
    breaks: 'Notice',
    file: MODEL,
    from: 'block.timestamp + _notice',
    to: 'block.timestamp',
  },
]
