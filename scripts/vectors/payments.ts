/** Vectors of vouchers, quotes, registrations and frames (PROTOCOL.md §3, §4). */
import {
  type ChannelTerms,
  channelId,
  domainSeparator,
  encodeAck,
  encodeCredit,
  encodeFrame,
  encodeHello,
  encodeReleaseAnswer,
  encodeSubscribe,
  type Frame,
  nodeIdOf,
  nodeKeyOf,
  type Quote,
  registrationMessage,
  releaseDigest,
  SERVICE_NAMES,
  secretKeyAccount,
  serviceId,
  signDigest,
  signQuote,
  signRegistration,
  voucherDigest,
} from '@mainframe/protocol'
import { fixed, fixedAccount, fixedBytes, trimZeros } from './material.ts'

const domain = { chainId: 31_337n, contract: fixedAccount('channels contract') }
const signerSecret = fixed('voucher signer')
const payeeSecret = fixed('payee')
const terms: ChannelTerms = {
  payer: fixedAccount('payer'),
  payee: secretKeyAccount(payeeSecret),
  token: fixedAccount('token'),
  signer: secretKeyAccount(signerSecret),
  noticeSeconds: 86_400,
}
/** What {@link encodeFrame} takes. */
type FrameFields = Partial<Frame> & Pick<Frame, 'type'>
const AMOUNTS = [1n, 10n ** 18n, 2n ** 96n - 1n]

export function vouchers() {
  const separator = domainSeparator(domain)
  const id = channelId(terms)
  const coin = { ...terms, token: new Uint8Array(20), noticeSeconds: 3600 }
  return {
    about:
      'Channel ids, vouchers and releases (PROTOCOL.md §4); signatures are EIP-2098 over the digest, RFC 6979 nonces',
    domain,
    domainSeparator: separator,
    signerSecret,
    payeeSecret,
    channels: [terms, coin].map((each) => ({ terms: each, channelId: channelId(each) })),
    vouchers: AMOUNTS.map((amount, i) => {
      const voucher = { channelId: id, epoch: 1 + 0xff_fffe * (i >> 1), amount }
      const digest = voucherDigest(separator, voucher)
      return { ...voucher, digest, signature: signDigest(digest, signerSecret) }
    }),
    releases: AMOUNTS.map((finalAmount, i) => {
      const release = { channelId: id, epoch: 1 + 0xff_fffe * (i >> 1), finalAmount }
      const digest = releaseDigest(separator, release)
      return { ...release, digest, signature: signDigest(digest, payeeSecret) }
    }),
  }
}

const nodeSeed = fixed('node seed')
const quote: Quote = {
  nodeId: nodeIdOf(fixedAccount('operator'), nodeKeyOf(nodeSeed)),
  payee: terms.payee,
  token: terms.token,
  routeUnits: 1000,
  holdUnitsPerHour: 25,
  minDepositBase: 5n * 10n ** 18n,
  noticeSeconds: 3600,
  maxWindowUnits: 4_000_000_000,
  confirmations: 12,
  baseUnitsPerUnit: 10n ** 9n,
  expiresAtSeconds: 1_800_000_000,
}

export function quotes() {
  return {
    about: 'A signed price quote (PROTOCOL.md §4): 142 bytes and an Ed25519 signature',
    nodeSeed,
    nodeKey: nodeKeyOf(nodeSeed),
    domain,
    quote,
    signedQuote: signQuote(nodeSeed, quote, domain),
  }
}

export function registration() {
  const operator = fixedAccount('operator')
  const context = { chainId: 31_337n, registry: fixedAccount('registry'), operator }
  return {
    about: 'What a node key signs at registration, node ids and service ids (PROTOCOL.md §1.3)',
    nodeSeed,
    nodeKey: nodeKeyOf(nodeSeed),
    ...context,
    message: registrationMessage(context),
    signature: signRegistration(nodeSeed, context),
    nodeId: nodeIdOf(operator, nodeKeyOf(nodeSeed)),
    services: Object.values(SERVICE_NAMES).map((name) => ({ name, id: serviceId(name) })),
  }
}

/** A payer's request to end at `amount` at most, the payee's consent to a little less, and a refusal. */
function releaseFrames(amount: bigint) {
  const separator = domainSeparator(domain)
  const digestOf = (finalAmount: bigint) =>
    releaseDigest(separator, { channelId: channelId(terms), epoch: 3, finalAmount })
  const { payee: _payee, ...rest } = terms
  const signature = signDigest(digestOf(amount), signerSecret)
  const finalAmount = amount - 1n
  const consent = signDigest(digestOf(finalAmount), payeeSecret)
  const nothing = { finalAmount: 0n, signature: new Uint8Array(64) }
  return [
    { ...rest, epoch: 3, amount, signature },
    { outcome: 'released' as const, finalAmount, signature: consent },
    { outcome: 'too-low' as const, ...nothing },
  ] as const
}

export function frames() {
  const inCoin = { ...quote, token: new Uint8Array(20), baseUnitsPerUnit: 350_000n }
  const signedQuotes = [quote, inCoin].map((each) => signQuote(nodeSeed, each, domain))
  const greeting = { chainId: 31_337, channels: domain.contract }
  const ask = { version: 2, ...greeting, signedQuotes: [] }
  const answer = { version: 2, ...greeting, signedQuotes }
  const oldAnswer = { version: 1, ...greeting, signedQuotes: signedQuotes.slice(0, 1) }
  const [amount = 0n] = AMOUNTS.slice(1)
  const digest = voucherDigest(domainSeparator(domain), {
    channelId: channelId(terms),
    epoch: 3,
    amount,
  })
  const { payer, token, signer, noticeSeconds } = terms
  const signature = signDigest(digest, signerSecret)
  const credit = { payer, token, signer, noticeSeconds, epoch: 3, amount, signature }
  const [ending, released, refused] = releaseFrames(amount)
  const ack = {
    processed: 6_000_000_000,
    spentUnits: 5_999_999,
    durableUnits: 9_007_199_254_740_991,
    creditSequence: 17,
    credit: 'not-greater' as const,
    refused: [
      { sequence: 5_999_999_998, reason: 'malformed' as const },
      { sequence: 5_999_999_999, reason: 'no-credit' as const },
    ],
  }
  const subscribe = { bits: 9, prefix: fixed('address'), cursor: 1_234_567_890_123 }
  const packet = { sequence: 42, level: 256, postageUnits: 1_048_576 }
  const held = fixedBytes('held packet', 2048)
  const made: readonly (readonly [object, FrameFields])[] = [
    [ask, { type: 'hello', body: encodeHello(ask) }],
    [answer, { type: 'hello', body: encodeHello(answer) }],
    [oldAnswer, { type: 'hello', body: encodeHello(oldAnswer) }],
    [credit, { type: 'credit', sequence: 17, body: encodeCredit(credit) }],
    [{}, { type: 'packet', ...packet, body: held }],
    [ack, { type: 'ack', body: encodeAck(ack) }],
    [subscribe, { type: 'subscribe', body: encodeSubscribe(subscribe) }],
    [{}, { type: 'deliver', sequence: 77, body: held }],
    [{}, { type: 'deliver', sequence: 78, flags: 1 }],
    [{}, { type: 'bye' }],
    [ending, { type: 'release', sequence: 1, body: encodeCredit(ending) }],
    [released, { type: 'release', sequence: 1, body: encodeReleaseAnswer(released) }],
    [refused, { type: 'release', sequence: 2, body: encodeReleaseAnswer(refused) }],
  ]
  return {
    about: 'Frames of 2080 bytes (PROTOCOL.md §3): `bytes`, then zeros up to `length`',
    frames: made.map(([body, frame]) => {
      const { type, flags = 0, level = 0, sequence = 0, postageUnits = 0 } = frame
      const head = { type, flags, level, sequence, postageUnits }
      return { ...head, body, frame: trimZeros(encodeFrame(frame)) }
    }),
  }
}
