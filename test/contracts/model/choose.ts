/** What every choice of an action is made of: channels, amounts, recipients, moments. */
import type { ClaimRow } from '../support/channels.ts'
import type { Deployment } from './deployment.ts'
import type { Dice } from './dice.ts'
import type { Signature } from './draft.ts'
import { accountOf, malleated, sign } from './signatures.ts'
import { type Action, type Channel, CLOSED, moneyKey, type State } from './state.ts'
import { ACTORS, type ActorName, COIN, type Place, signerName } from './universe.ts'

/** Where a sequence stands. */
export interface Situation {
  deployment: Deployment
  state: State
  /** Time of the last block. */
  now: bigint
  /** The few channels that this sequence is mostly about. */
  focus: Place[]
  history: Action[]
}

/** A situation and the dice; `good` says whether the action is meant to succeed. */
export interface Turn extends Situation {
  dice: Dice
  good: boolean
}

export const MOST = 2n ** 96n - 1n
const UNSIGNED = { r: `0x${'00'.repeat(32)}`, vs: `0x${'00'.repeat(32)}` }

export const channelOf = ({ state }: Situation, { id }: Place): Channel =>
  state.channels[id] ?? CLOSED

export const vaultOf = ({ state }: Situation, token: string, owner: string): bigint =>
  state.vaults[moneyKey(token, owner)] ?? 0n

/** Mostly a place that `suits`, if there is one, or else any: what is wrong with a bad turn may be something else. */
export function placeFor(turn: Turn, suits: (channel: Channel, place: Place) => boolean): Place {
  const { dice, deployment, focus, good } = turn
  const aims = good || dice.chance(3, 4)
  const suitable = (places: readonly Place[]) => {
    return aims ? places.filter((place) => suits(channelOf(turn, place), place)) : []
  }
  const [first, second] = dice.chance(9, 10)
    ? [focus, deployment.places]
    : [deployment.places, focus]
  const place = dice.pick(suitable(first)) ?? dice.pick(suitable(second)) ?? dice.pick(first)
  if (place === undefined) throw new Error('There are no channels')
  return place
}

/** An amount at an edge or beneath it; of a good turn from one up to `most`. */
export function amountFor({ dice, good }: Turn, most: bigint): bigint {
  if (good && most > 0n) return dice.pick([1n, most, 1n + dice.part(most - 1n)])
  return dice.pick([0n, 1n, most < MOST ? most : MOST, most < MOST ? most + 1n : MOST, MOST])
}

/** An amount to pay in: dust, a usual one, or a part of all that there can be. */
export function payment(turn: Turn): bigint {
  const { dice } = turn
  return amountFor(turn, dice.pick([1_000n, 10n ** 18n, 10n ** 18n, MOST]))
}

export function someone({ dice }: Turn): string {
  return accountOf(dice.pick(ACTORS))
}

/** Now and then somebody else than who should call. */
export function callerOr(turn: Turn, name: ActorName): string {
  return turn.good || turn.dice.chance(2, 3) ? accountOf(name) : someone(turn)
}

/** A wallet, at times of who refuses the coin; of a bad turn also the two addresses that are none. */
export function recipient(turn: Turn): string {
  const { dice, good, deployment } = turn
  if (dice.chance(1, 8)) return deployment.refuser
  if (good || dice.chance(1, 2)) return someone(turn)
  return dice.pick([COIN, deployment.facts.address])
}

/** The next moment, mostly soon. */
export function soon({ dice, now }: Turn): bigint {
  return now + dice.pick([1n, 1n, 1n, 1n, 7n, 600n, 3_600n])
}

/** A row for a channel: a voucher that is worth something, or one of the many that are not. */
export function rowFor(turn: Turn, place: Place): ClaimRow {
  const { dice, good } = turn
  const { deposit, claimed, epoch } = channelOf(turn, place)
  const rest = deposit - claimed
  const fresh = claimed + (rest > 0n ? 1n + dice.part(rest - 1n) : 0n)
  const amount = good
    ? dice.pick([fresh, fresh, deposit, deposit < MOST ? deposit + 1n : MOST, MOST])
    : dice.pick([0n, 1n, claimed, claimed < MOST ? claimed + 1n : MOST, fresh, deposit, MOST])
  const row = { payer: accountOf(place.payer), signer: place.terms.signer, amount }
  if (good) return { ...row, ...signed(turn, { place, epoch, amount }) }
  if (dice.chance(1, 12)) return { ...row, ...UNSIGNED, signer: COIN }
  if (dice.chance(1, 12)) return { ...row, ...UNSIGNED, payer: COIN }
  return { ...row, ...badSignature(turn, { place, epoch, amount, what: 'voucher' }) }
}

interface Message {
  place: Place
  epoch: number
  amount: bigint
}

function signed({ deployment }: Turn, { place, epoch, amount }: Message): Signature {
  return sign(signerName(place.payer), deployment.digests.voucher(place.id, epoch, amount))
}

/** A signature of the right thing by the right key, with one thing wrong. */
export function badSignature(
  turn: Turn,
  { place, epoch, amount, what }: Message & { what: 'voucher' | 'release' },
): Signature {
  const { dice, deployment, focus } = turn
  const { digests, elsewhere } = deployment
  const other = what === 'voucher' ? 'release' : 'voucher'
  const key = what === 'voucher' ? signerName(place.payer) : place.payee
  const good = digests[what](place.id, epoch, amount)
  const neighbour = dice.pick(focus) ?? place
  switch (dice.below(9)) {
    case 0:
      return sign(key, digests[what](place.id, epoch > 0 ? epoch - 1 : 1, amount))
    case 1:
      return sign(key, digests[what](place.id, epoch + 1, amount))
    case 2:
      return sign('mallory', good)
    case 3:
      return malleated(sign(key, good))
    case 4:
      return UNSIGNED
    case 5:
      return sign(key, digests[what](neighbour.id, epoch, amount))
    case 6:
      return sign(key, elsewhere[what](place.id, epoch, amount))
    case 7:
      return sign(key, digests[other](place.id, epoch, amount))
    default:
      return sign(key, digests[what](place.id, epoch, amount < MOST ? amount + 1n : 0n))
  }
}
