/** Channels that a payee believes in without a chain. */
import {
  BASE_PER_UNIT,
  type ChannelRow,
  channelId,
  domainSeparator,
  type Hex,
  type PayerChannel,
  secretKeyAccount,
  toHex,
} from '@mainframe/protocol'
import { CHAIN_ID, CHANNELS, NOTICE_SECONDS, TOKEN, WINDOW_UNITS } from './memory-terms.ts'

/** Whoever pays. */
export interface Purse {
  secretKey: Uint8Array
}

/** Whoever is paid, and the chain as he sees it. */
interface Payee {
  payee: Uint8Array
  channels: Map<Hex, ChannelRow>
}

const SEPARATOR = domainSeparator({ chainId: BigInt(CHAIN_ID), contract: CHANNELS })

/** Opens a channel to a payee, who sees it at once. */
export function openChannel({ secretKey }: Purse, { payee, channels }: Payee): PayerChannel {
  const payer = secretKeyAccount(secretKey)
  const terms = { payer, payee, token: TOKEN, signer: payer, noticeSeconds: NOTICE_SECONDS }
  const id = channelId(terms)
  const depositBase = 1_000n * BigInt(WINDOW_UNITS) * BASE_PER_UNIT
  const row: ChannelRow = {
    channelId: toHex(id),
    payer: toHex(payer),
    payee: toHex(payee),
    token: toHex(TOKEN),
    signer: toHex(payer),
    noticeSeconds: NOTICE_SECONDS,
    epoch: 1,
    deposit: depositBase,
    claimed: 0n,
    closesAt: 0,
    state: 'open',
    updatedBlock: 1,
  }
  channels.set(row.channelId, row)
  return {
    terms,
    channelId: id,
    epoch: 1,
    depositBase,
    signedBase: 0n,
    baseUnitsPerUnit: BASE_PER_UNIT,
    windowUnits: WINDOW_UNITS,
    domainSeparator: SEPARATOR,
    signerSecretKey: secretKey,
    record: async () => {},
  }
}
