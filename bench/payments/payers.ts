/** A payee's ledger without a chain behind it, and vouchers of many payers for it. */
import { randomBytes } from 'node:crypto'
import {
  BASE_PER_UNIT,
  type ChannelRow,
  type Credit,
  channelId,
  domainSeparator,
  secretKeyAccount,
  toHex,
  voucherDigest,
} from '@mainframe/protocol'
import secp256k1 from 'secp256k1'
import type { Directory } from '../../node/src/chain/directory.ts'
import { CreditLedger } from '../../node/src/payments/credit-ledger.ts'
import type { StoredVoucher } from '../../node/src/payments/voucher-log.ts'

/** A signature as the native library takes it, beside the CREDIT that carries it. */
export interface SignedCredit {
  credit: Credit
  /** Stands for the payer's link. */
  link: object
  digest: Uint8Array
  /** 64 bytes, without the recovery bit. */
  signature: Uint8Array
  recovery: number
  /** 65 bytes. */
  publicKey: Uint8Array
}

const NOTICE_SECONDS = 86_400
const TERMS = { minNoticeSeconds: NOTICE_SECONDS, maxWindowUnits: Number.MAX_SAFE_INTEGER }
const MEDIUM = { minDepositBase: 1n, baseUnitsPerUnit: BASE_PER_UNIT }

/**
 * A ledger as a relay has it. Its channels stand in the confirmed view from the start, and its log
 * takes at once what it is given: the disk is measured by itself.
 */
export class BenchPayee {
  readonly #account = Uint8Array.from(randomBytes(20))
  readonly #token = Uint8Array.from(randomBytes(20))
  readonly #domain = { chainId: 31_337n, contract: Uint8Array.from(randomBytes(20)) }
  readonly #separator = domainSeparator(this.#domain)
  readonly #channels = new Map<ChannelRow['channelId'], ChannelRow>()
  readonly ledger: CreditLedger

  constructor() {
    const directory: Directory = {
      relays: new Map(),
      channels: this.#channels,
      earlierClaims: new Map(),
      epoch: undefined,
      confirmedBlock: 0,
      byPeerKey: () => undefined,
      subscribe: () => () => {},
    }
    const stored = new Map<string, StoredVoucher>()
    const put = async (voucher: StoredVoucher) => void stored.set(voucher.channelId, voucher)
    this.ledger = new CreditLedger({
      directory,
      viewAgeSeconds: () => 0,
      maxViewAgeSeconds: 1,
      vouchers: { entries: stored, put },
      released: { entries: new Map() },
      payee: toHex(this.#account),
      domain: this.#domain,
      terms: { ...TERMS, media: [{ ...MEDIUM, token: toHex(this.#token) }] },
    })
  }

  /** Vouchers that grow by one unit, round by round, each round with one of every payer. */
  sign(payers: number, rounds: number): SignedCredit[][] {
    const signers = Array.from({ length: payers }, () => this.#openChannel())
    return Array.from({ length: rounds }, (_, round) =>
      signers.map((sign) => sign(BigInt(round + 1) * BASE_PER_UNIT)),
    )
  }

  #openChannel(): (amount: bigint) => SignedCredit {
    const secretKey = Uint8Array.from(randomBytes(32))
    const publicKey = secp256k1.publicKeyCreate(secretKey, false)
    const account = secretKeyAccount(secretKey)
    const token = this.#token
    const terms = { payer: account, token, signer: account, noticeSeconds: NOTICE_SECONDS }
    const id = channelId({ ...terms, payee: this.#account })
    const row: ChannelRow = {
      channelId: toHex(id),
      payer: toHex(account),
      payee: toHex(this.#account),
      token: toHex(token),
      signer: toHex(account),
      noticeSeconds: NOTICE_SECONDS,
      epoch: 1,
      deposit: 1n << 90n,
      claimed: 0n,
      closesAt: 0,
      state: 'open',
      updatedBlock: 0,
    }
    this.#channels.set(row.channelId, row)
    const link = {}
    return (amount) => {
      const digest = voucherDigest(this.#separator, { channelId: id, epoch: 1, amount })
      const { signature, recid: recovery } = secp256k1.ecdsaSign(digest, secretKey)
      const compact = signature.slice()
      compact[32] = (compact[32] ?? 0) | (recovery << 7)
      const credit: Credit = { ...terms, epoch: 1, amount, signature: compact }
      return { credit, link, digest, signature, recovery, publicKey }
    }
  }
}
