/** Who there is in the model test, and which channels may come to be between them. */
import { channelId, fromHex, toHex } from '@mainframe/protocol'
import type { Terms } from '../support/channels.ts'
import { accountOf } from './signatures.ts'

export const HOUR = 3_600
export const DAY = 24 * HOUR
export const COIN = '0x0000000000000000000000000000000000000000'

export const ACTORS = ['alice', 'bob', 'carol', 'dave'] as const
export type ActorName = (typeof ACTORS)[number]

/** Alice and Bob have a hot key for their vouchers. */
export const signerName = (payer: ActorName): string =>
  payer === 'alice' || payer === 'bob' ? `${payer}'s hot key` : payer

/** The tokens by name. */
export interface Tokens {
  mft: string
  /** An honest token with a supply far over 2^96. */
  honest: string
  /** Keeps one percent of a transfer. */
  fee: string
  coin: string
}

/** One channel that may come to be. */
export interface Place {
  id: string
  payer: ActorName
  payee: ActorName
  terms: Terms
}

/** Who is paid; both pay as well, themselves too. */
const PAYEES = ['bob', 'carol'] as const

/**
 * Every payer to every payee in every token at an hour's notice, and some at two hours', so that batches meet rows of
 * other terms.
 */
export function places(tokens: Tokens): Place[] {
  const place = (payer: ActorName, payee: ActorName, token: string, notice: number): Place => {
    const terms = { payee: accountOf(payee), token, signer: accountOf(signerName(payer)), notice }
    return { id: idOf(accountOf(payer), terms), payer, payee, terms }
  }
  const usual = Object.values(tokens).flatMap((token) =>
    PAYEES.flatMap((payee) => ACTORS.map((payer) => place(payer, payee, token, HOUR))),
  )
  const long = ACTORS.map((payer) => place(payer, 'bob', tokens.mft, 2 * HOUR))
  return [...usual, ...long]
}

const ids = new Map<string, string>()

/** The id of a payer's channel. */
export function idOf(payer: string, { payee, token, signer, notice }: Terms): string {
  const key = [payer, payee, token, signer, notice].join()
  const known = ids.get(key)
  if (known !== undefined) return known
  const id = toHex(
    channelId({
      payer: fromHex(payer),
      payee: fromHex(payee),
      token: fromHex(token),
      signer: fromHex(signer),
      noticeSeconds: notice,
    }),
  )
  ids.set(key, id)
  return id
}
