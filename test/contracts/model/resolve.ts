/** From "a claim, with these dice" to the very call: most calls are meant to succeed, the others to be refused. */
import {
  amountFor,
  badSignature,
  callerOr,
  channelOf,
  MOST,
  payment,
  placeFor,
  recipient,
  rowFor,
  type Situation,
  someone,
  soon,
  type Turn,
  vaultOf,
} from './choose.ts'
import { Dice } from './dice.ts'
import { accountOf, parts, sign } from './signatures.ts'
import type { Action, ActionOf, Channel, Kind } from './state.ts'
import { COIN, type Place } from './universe.ts'

/** What fast-check generates; what becomes of it depends on the situation. */
export interface Intent {
  kind: Kind
  seed: number
}

export interface Step {
  action: Action
  /** Of the action's block. */
  time: bigint
}

/** The step that an intent is in this situation: a new one, or an old one over again. */
export function resolve(situation: Situation, { kind, seed }: Intent): Step {
  const dice = new Dice(seed)
  const turn = { ...situation, dice, good: dice.chance(3, 4) }
  const old = situation.history.filter((action) => action.kind === kind)
  const again = dice.chance(1, 12) ? dice.pick(old) : undefined
  if (again !== undefined) return { action: again, time: soon(turn) }
  if (kind === 'finalize' || kind === 'finalizeTo') return finalize(turn, kind)
  if (kind === 'wait') return { action: { kind, from: someone(turn) }, time: later(turn) }
  return { action: actionFor(turn, kind), time: soon(turn) }
}

function later({ dice, now }: Turn): bigint {
  return now + dice.pick([1n, 60n, 3_600n, 7_200n, 86_400n])
}

function actionFor(turn: Turn, kind: Exclude<Kind, 'finalize' | 'finalizeTo' | 'wait'>): Action {
  switch (kind) {
    case 'approve':
      return approve(turn)
    case 'deposit':
    case 'depositFor':
      return deposit(turn, kind)
    case 'withdraw':
      return withdraw(turn)
    case 'open':
      return open(turn)
    case 'openWithPermit':
      return openWithPermit(turn)
    case 'transferAndCall':
    case 'onTransferReceived':
      return openInMft(turn, kind)
    case 'openFromVault':
      return openFromVault(turn)
    case 'claim':
    case 'claimable':
    case 'claimTo':
    case 'closeByPayee':
    case 'closeByPayeeTo':
      return claim(turn, kind)
    case 'closeWithRelease':
      return closeWithRelease(turn)
    case 'requestClose':
    case 'cancelClose':
      return wish(turn, kind)
  }
}

const isOpen = ({ deposit }: Channel) => deposit !== 0n
const takesMore = ({ closesAt }: Channel) => closesAt === 0n

function approve(turn: Turn): ActionOf<'approve'> {
  const { mft, honest, fee } = turn.deployment.tokens
  const amount = turn.dice.pick([2n ** 256n - 1n, 2n ** 256n - 1n, 10n ** 18n, 0n])
  return { kind: 'approve', from: someone(turn), token: turn.dice.pick([mft, honest, fee]), amount }
}

/** What goes with the call: the coin it needs, of a bad turn one too many. */
function valueFor({ good, dice }: Turn, token: string, amount: bigint): bigint {
  return (token === COIN ? amount : 0n) + (good || dice.chance(3, 4) ? 0n : 1n)
}

function deposit(turn: Turn, kind: 'deposit' | 'depositFor'): Action {
  const { token } = placeFor(turn, () => true).terms
  const amount = payment(turn)
  const call = { from: someone(turn), token, amount, value: valueFor(turn, token, amount) }
  const owner = turn.good || turn.dice.chance(1, 2) ? someone(turn) : COIN
  return kind === 'deposit' ? { kind, ...call } : { kind, ...call, owner }
}

function withdraw(turn: Turn): ActionOf<'withdraw'> {
  const { dice, deployment, good } = turn
  const held = Object.keys(turn.state.vaults).filter((key) => turn.state.vaults[key] !== 0n)
  const [token, owner] = (good ? dice.pick(held) : undefined)?.split('/') ?? [
    dice.pick(Object.values(deployment.tokens)) ?? COIN,
    someone(turn),
  ]
  const from = owner ?? someone(turn)
  const amount = amountFor(turn, vaultOf(turn, token ?? COIN, from))
  return { kind: 'withdraw', from, token: token ?? COIN, to: recipient(turn), amount }
}

function expectedEpoch({ good, dice }: Turn, { deposit, epoch }: Channel): number {
  if (!good && dice.chance(1, 2)) return dice.pick([1, epoch, epoch + 2])
  return dice.chance(1, 3) ? epoch + (deposit === 0n ? 1 : 0) : 0
}

/** Terms as they are, of a bad turn at times impossible ones. */
function termsFor({ good, dice }: Turn, { terms }: Place) {
  if (good || dice.chance(3, 4)) return terms
  const wrong = [
    { payee: COIN },
    { signer: COIN },
    { notice: 3_599 },
    { notice: 2_592_001 },
  ] as const
  return { ...terms, ...dice.pick(wrong) }
}

function open(turn: Turn): ActionOf<'open'> {
  const place = placeFor(turn, takesMore)
  const amount = payment(turn)
  const { token } = place.terms
  return {
    kind: 'open',
    from: accountOf(place.payer),
    terms: termsFor(turn, place),
    amount,
    expectedEpoch: expectedEpoch(turn, channelOf(turn, place)),
    value: valueFor(turn, token, amount),
  }
}

function openWithPermit(turn: Turn): ActionOf<'openWithPermit'> {
  const { dice, good, now, deployment, state } = turn
  const { mft } = deployment.tokens
  const place = placeFor(turn, (channel, { terms }) => takesMore(channel) && terms.token === mft)
  const amount = payment(turn)
  const owner = accountOf(place.payer)
  const used = state.nonces[owner] ?? 0n
  const nonce = good || used === 0n || dice.chance(1, 2) ? used : used - 1n
  const deadline = good || dice.chance(3, 4) ? now + 86_400n : now - 1n
  const key = good || dice.chance(3, 4) ? place.payer : 'mallory'
  const digest = deployment.digests.permit({ owner, value: amount, nonce, deadline })
  return {
    kind: 'openWithPermit',
    from: owner,
    terms: termsFor(turn, place),
    amount,
    expectedEpoch: expectedEpoch(turn, channelOf(turn, place)),
    permit: { deadline, ...parts(sign(key, digest)) },
  }
}

function openInMft(turn: Turn, kind: 'transferAndCall' | 'onTransferReceived'): Action {
  const { mft } = turn.deployment.tokens
  const inMft = {
    ...turn,
    focus: turn.deployment.places.filter(({ terms }) => terms.token === mft),
  }
  const place = placeFor({ ...inMft, good: true }, (channel, { terms }) => {
    return terms.token === mft && (!turn.good || takesMore(channel))
  })
  const call = { from: accountOf(place.payer), terms: termsFor(turn, place), amount: payment(turn) }
  if (kind === 'onTransferReceived') return { kind, ...call }
  return { kind, ...call, garbled: !turn.good && turn.dice.chance(1, 4) }
}

function openFromVault(turn: Turn): ActionOf<'openFromVault'> {
  const { dice, good, deployment } = turn
  const first = placeFor(turn, (channel, { payer, terms }) => {
    return takesMore(channel) && vaultOf(turn, terms.token, accountOf(payer)) > 0n
  })
  const { token, notice } = first.terms
  const from = accountOf(first.payer)
  const like = deployment.places.filter(({ payer, terms }) => {
    return payer === first.payer && terms.token === token && terms.notice === notice
  })
  const held = vaultOf(turn, token, from)
  const count = good ? 1 + dice.below(3) : dice.below(5)
  const each = good ? held / BigInt(count) : held
  const rows = Array.from({ length: count }, (_, index) => {
    const place = index === 0 ? first : (dice.pick(like) ?? first)
    const { payee, signer } = termsFor(turn, place)
    const wanted = amountFor(turn, each < MOST ? each : MOST)
    const epoch = index === 0 ? expectedEpoch(turn, channelOf(turn, place)) : 0
    return { payee, signer, amount: wanted, expectedEpoch: epoch }
  })
  return { kind: 'openFromVault', from, token, notice, rows }
}

type ClaimKind = 'claim' | 'claimable' | 'claimTo' | 'closeByPayee' | 'closeByPayeeTo'

function claim(turn: Turn, kind: ClaimKind): Action {
  const { dice, good, deployment } = turn
  const first = placeFor(turn, ({ deposit, claimed }) => claimed < deposit)
  const { payee, token, notice } = first.terms
  const like = deployment.places.filter(({ terms }) => {
    return terms.payee === payee && terms.token === token && terms.notice === notice
  })
  // rows of a good turn may be bad too, if only the first one is good
  const rows = Array.from({ length: good ? 1 + dice.below(3) : dice.below(5) }, (_, index) => {
    const place = index === 0 ? first : (dice.pick(like) ?? first)
    return rowFor(index === 0 ? turn : { ...turn, good: dice.chance(1, 2) }, place)
  })
  const batch = { token, notice, rows }
  if (kind === 'claim' || kind === 'claimable')
    return { kind, from: someone(turn), payee, ...batch }
  const from = callerOr(turn, first.payee)
  if (kind === 'closeByPayee') return { kind, from, ...batch }
  return { kind, from, ...batch, to: recipient(turn) }
}

function closeWithRelease(turn: Turn): ActionOf<'closeWithRelease'> {
  const { dice, good, deployment } = turn
  const place = placeFor(turn, isOpen)
  const { deposit, claimed, epoch } = channelOf(turn, place)
  const above = good || deposit === MOST ? deposit : deposit + 1n
  const amount = dice.pick([0n, claimed, above, amountFor(turn, deposit)])
  const release = () => sign(place.payee, deployment.digests.release(place.id, epoch, amount))
  const message = { place, epoch, amount, what: 'release' } as const
  const signature = good || dice.chance(1, 3) ? release() : badSignature(turn, message)
  const from = callerOr(turn, place.payer)
  return { kind: 'closeWithRelease', from, terms: place.terms, amount, ...signature }
}

function wish(turn: Turn, kind: 'requestClose' | 'cancelClose'): Action {
  const closing = kind === 'cancelClose'
  const place = placeFor(
    turn,
    (channel) => isOpen(channel) && (channel.closesAt !== 0n) === closing,
  )
  return { kind, from: callerOr(turn, place.payer), terms: place.terms }
}

/** At the very second from which it is allowed, or the one before. */
function finalize(turn: Turn, kind: 'finalize' | 'finalizeTo'): Step {
  const { dice, good, now } = turn
  const place = placeFor({ ...turn, good: true }, ({ closesAt }) => closesAt !== 0n)
  const { closesAt } = channelOf(turn, place)
  const wanted = good ? closesAt + dice.pick([0n, 0n, 1n, 3_600n]) : closesAt - 1n
  const time = wanted > now ? wanted : now + 1n
  const call = { from: callerOr(turn, place.payer), terms: place.terms }
  const action = kind === 'finalize' ? { kind, ...call } : { kind, ...call, to: recipient(turn) }
  return { action, time }
}
