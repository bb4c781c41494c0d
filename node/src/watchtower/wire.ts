/** What a payee tells a watchtower, and what it is told (docs/watchtower.md). JSON over HTTP. */
import {
  bigintToBytes,
  concatBytes,
  fromHex,
  type Hex,
  MAX_AMOUNT,
  toHex,
  utf8,
} from '@mainframe/protocol'
import { keccak256 } from 'ethers'
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { StoredVoucher } from '../payments/voucher-log.ts'

const hex = (bytes: number) => Type.String({ pattern: `^0x[0-9a-f]{${2 * bytes}}$` })
const u32 = Type.Integer({ minimum: 0, maximum: 0xffff_ffff })
const amount = Type.String({ pattern: '^[0-9]{1,29}$' })

/** Vouchers of one request. */
export const MAX_VOUCHERS = 200
export const MAX_BODY_BYTES = 128 * 1024
/** How far the clocks of a payee and its watchtower may be apart. */
export const MAX_SKEW_SECONDS = 300
export const VOUCHERS_PATH = '/v1/vouchers'
export const SIGNATURE_HEADER = 'x-mainframe-signature'

const VoucherSchema = Type.Object(
  {
    payer: hex(20),
    /** Of the channel; zeros for the chain's coin. */
    token: hex(20),
    signer: hex(20),
    noticeSeconds: u32,
    epoch: u32,
    /** Base units, decimal. */
    amount,
    /** EIP-2098. */
    signature: hex(64),
  },
  { additionalProperties: false },
)
const RequestSchema = Type.Object(
  {
    payee: hex(20),
    /** Unix seconds. */
    time: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
    vouchers: Type.Array(VoucherSchema, { maxItems: MAX_VOUCHERS }),
  },
  { additionalProperties: false },
)

/**
 * What became of a voucher: it is on disk (or as good a one is), or why not. `unknown-token` is one whose
 * worth the watchtower's operator has not said.
 */
export const TOWER_OUTCOMES = [
  'held',
  'unknown-channel',
  'unknown-token',
  'wrong-epoch',
  'bad-signature',
  'full',
  'busy',
] as const
export type TowerOutcome = (typeof TOWER_OUTCOMES)[number]

const HeldSchema = Type.Object({
  channelId: hex(32),
  outcome: Type.Enum([...TOWER_OUTCOMES]),
  /** What it holds durably of this channel now; zeros for nothing. */
  epoch: u32,
  amount,
})
const AnswerSchema = Type.Object({ vouchers: Type.Array(HeldSchema, { maxItems: MAX_VOUCHERS }) })

export type WireVoucher = Static<typeof VoucherSchema>
export type TowerRequest = Static<typeof RequestSchema>
export type Held = Static<typeof HeldSchema>
export type TowerAnswer = Static<typeof AnswerSchema>

const requestForm = Compile(RequestSchema)
const answerForm = Compile(AnswerSchema)

/** `undefined` for anything that is no request. Never throws. */
export function parseRequest(text: string): TowerRequest | undefined {
  const value = parseJson(text)
  if (!requestForm.Check(value)) return undefined
  return value.vouchers.every((voucher) => BigInt(voucher.amount) <= MAX_AMOUNT) ? value : undefined
}

/** `undefined` for anything that is no answer. Never throws. */
export function parseAnswer(text: string): TowerAnswer | undefined {
  const value = parseJson(text)
  return answerForm.Check(value) ? value : undefined
}

export function wireVoucher(voucher: StoredVoucher, token: Hex): WireVoucher {
  const { payer, signer, noticeSeconds, epoch, signature } = voucher
  return {
    payer,
    token,
    signer,
    noticeSeconds,
    epoch,
    amount: `${voucher.amount}`,
    signature: toHex(signature),
  }
}

/**
 * What a payee signs with the key of its account, over the body as it is sent: bound to one deployment,
 * and by the time in the body to a few minutes.
 */
export function requestDigest(
  { chainId, channels }: { chainId: number; channels: Hex },
  body: Uint8Array,
): Uint8Array {
  return fromHex(
    keccak256(
      concatBytes(
        utf8('mainframe/watchtower/1'),
        bigintToBytes(BigInt(chainId), 32),
        fromHex(channels, 20),
        fromHex(keccak256(body) as Hex),
      ),
    ) as Hex,
  )
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
