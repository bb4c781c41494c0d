/** One relay's paid side over real libp2p links: real ledger, holds and router; the chain is a table. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import {
  type Ack,
  BASE_PER_UNIT,
  type ByteStream,
  type ChannelRow,
  type ChannelTerms,
  channelId,
  createKeyPair,
  decodeAck,
  decodeReleaseAnswer,
  domainSeparator,
  encodeCredit,
  encodeFrame,
  encodeHello,
  FRAME_BYTES,
  type Frame,
  FrameWriter,
  fromHex,
  type Hex,
  LINK_VERSION,
  MainframeError,
  type RelayPrices,
  type ReleaseAnswer,
  readFrames,
  secretKeyAccount,
  signDigest,
  toHex,
  voucherDigest,
} from '@mainframe/protocol'
import type { Directory } from '../../../node/src/chain/directory.ts'
import { HoldStore } from '../../../node/src/holding/hold-store.ts'
import { Subscriptions } from '../../../node/src/holding/subscriptions.ts'
import { IncomingLinks } from '../../../node/src/links/incoming.ts'
import { Network } from '../../../node/src/links/network.ts'
import { createQuoter } from '../../../node/src/links/own-quote.ts'
import { CreditLedger, type MediumTerms } from '../../../node/src/payments/credit-ledger.ts'
import { Releases } from '../../../node/src/payments/releases.ts'
import { openSignedLog } from '../../../node/src/payments/signed-log.ts'
import { openVoucherLog } from '../../../node/src/payments/voucher-log.ts'
import { createView, type OverlayRelay } from '../../../node/src/routing/overlay.ts'
import { type Dispatch, type PacketLink, Router } from '../../../node/src/routing/router.ts'
import { SeenMemory } from '../../../node/src/routing/seen.ts'
import { addressOf, linkTo, PRICES, relay } from './rule-world.ts'

export const CHAIN_ID = 31_337
export const CHANNELS = new Uint8Array(20).fill(0xcc)
export const TOKEN = new Uint8Array(20).fill(0x77)
export const DOMAIN = { chainId: BigInt(CHAIN_ID), contract: CHANNELS }
export const SEPARATOR = domainSeparator(DOMAIN)
export const WINDOW_UNITS = 1_000_000
const NOTICE_SECONDS = 3_600
export const PAYEE_SECRET = new Uint8Array(32).fill(9)
const PAYEE = secretKeyAccount(PAYEE_SECRET)

/** Worth as much as MFT. */
export const MEDIUM: MediumTerms = {
  token: toHex(TOKEN),
  baseUnitsPerUnit: BASE_PER_UNIT,
  minDepositBase: BigInt(10 * WINDOW_UNITS) * BASE_PER_UNIT,
}

/** A payer's account with a channel to the relay. */
export interface TestChannel {
  /** Base units a unit. */
  rate: bigint
  secretKey: Uint8Array
  terms: ChannelTerms
  id: Uint8Array
  row: ChannelRow
}

export function createChannel(
  depositUnits = 20 * WINDOW_UNITS,
  { token: tokenHex, baseUnitsPerUnit: rate }: MediumTerms = MEDIUM,
): TestChannel {
  const secretKey = Uint8Array.from(randomBytes(32))
  const payer = secretKeyAccount(secretKey)
  const token = fromHex(tokenHex)
  const terms = { payer, payee: PAYEE, token, signer: payer, noticeSeconds: NOTICE_SECONDS }
  const id = channelId(terms)
  const row: ChannelRow = {
    channelId: toHex(id),
    payer: toHex(payer),
    payee: toHex(PAYEE),
    token: tokenHex,
    signer: toHex(payer),
    noticeSeconds: NOTICE_SECONDS,
    epoch: 1,
    deposit: BigInt(depositUnits) * rate,
    claimed: 0n,
    closesAt: 0,
    state: 'open',
    updatedBlock: 1,
  }
  return { rate, secretKey, terms, id, row }
}

/** The body of a CREDIT; any part of it may be falsified. */
export function voucher(
  { rate, secretKey, terms, id }: TestChannel,
  units: number,
  { signWith = secretKey, epoch = 1 }: { signWith?: Uint8Array; epoch?: number } = {},
): Uint8Array {
  const amount = BigInt(units) * rate
  const digest = voucherDigest(SEPARATOR, { channelId: id, epoch, amount })
  const { payer, token, signer, noticeSeconds } = terms
  const signature = signDigest(digest, signWith)
  return encodeCredit({ payer, token, signer, noticeSeconds, epoch, amount, signature })
}

/** A frame-by-frame client, so that a test can break every rule of the protocol. */
export class RawPayer {
  readonly acks: Ack[] = []
  readonly frames: Frame[] = []
  readonly ended: Promise<void>
  readonly #stream: ByteStream
  readonly #writer: FrameWriter
  #packets = 0
  #credits = 0
  #releases = 0
  #isOver = false
  #wake = Promise.withResolvers<void>()

  constructor(stream: ByteStream) {
    this.#stream = stream
    this.#writer = new FrameWriter(stream)
    this.ended = this.#read()
  }

  hello(fields: { chainId?: number; channels?: Uint8Array; version?: number } = {}): void {
    const hello = { version: LINK_VERSION, chainId: CHAIN_ID, channels: CHANNELS, ...fields }
    const body = encodeHello({ ...hello, signedQuotes: [] })
    this.raw(encodeFrame({ type: 'hello', body }))
  }

  credit(body: Uint8Array): void {
    this.#credits += 1
    this.raw(encodeFrame({ type: 'credit', sequence: this.#credits, body }))
  }

  release(body: Uint8Array): void {
    this.#releases += 1
    this.raw(encodeFrame({ type: 'release', sequence: this.#releases, body }))
  }

  packet(body: Uint8Array, postageUnits: number): void {
    this.#packets += 1
    const sequence = this.#packets
    this.raw(encodeFrame({ type: 'packet', sequence, postageUnits, body }))
  }

  /** Whole frames, or what is none. */
  raw(bytes: Uint8Array): void {
    if (bytes.length === FRAME_BYTES) this.#writer.write(bytes)
    else {
      const sent = this.#writer.idle().then(() => this.#stream.send(bytes))
      sent.catch(() => {}) // the relay may have ended the link already
    }
  }

  /** The first ACK that says this. */
  async ack(says: (ack: Ack) => boolean): Promise<Ack> {
    for (;;) {
      const found = this.acks.find(says)
      if (found) return found
      if (this.#isOver) throw new MainframeError('NETWORK_CLOSED', 'The relay ended the link')
      await this.#wake.promise
    }
  }

  /** The verdict on the newest voucher. */
  async verdict(): Promise<string> {
    return (await this.ack(({ creditSequence }) => creditSequence === this.#credits)).credit
  }

  /** So many answers to wishes to end a channel, in the order that they came. */
  async released(count: number): Promise<ReleaseAnswer[]> {
    for (;;) {
      const answers = this.frames.flatMap(({ type, body }) =>
        type === 'release' ? (decodeReleaseAnswer(body) ?? []) : [],
      )
      if (answers.length >= count) return answers
      if (this.#isOver) throw new MainframeError('NETWORK_CLOSED', 'The relay ended the link')
      await this.#wake.promise
    }
  }

  /** Why the newest packet was refused; `undefined` when it was taken. */
  async refusal(): Promise<string | undefined> {
    const ack = await this.ack(({ processed }) => processed === this.#packets)
    return ack.refused.find(({ sequence }) => sequence === this.#packets)?.reason
  }

  abort(): void {
    this.#stream.abort(new Error('the test is over'))
  }

  async #read(): Promise<void> {
    try {
      for await (const frames of readFrames(this.#stream)) {
        for (const frame of frames) {
          if (!frame) continue
          this.frames.push(frame)
          const ack = frame.type === 'ack' ? decodeAck(frame.body) : undefined
          if (ack) this.acks.push(ack)
        }
        this.#wake.resolve()
        this.#wake = Promise.withResolvers()
      }
    } catch {
      // the relay ended the link
    }
    this.#isOver = true
    this.#wake.resolve()
  }
}

export interface PayeeOptions {
  /** Another's, to be taken for it; a new one unless given. */
  nodeSeed?: Uint8Array
  maxLinks?: number
  quotaBytes?: number
  /** What it takes; {@link MEDIUM} alone unless given. */
  media?: readonly MediumTerms[]
  /** What it asks, by its board. */
  prices?: () => RelayPrices
  /** Its clock. */
  now?: () => number
}

/** A relay that is paid, its one neighbour (a list of what it was sent), and how to reach it. */
export async function createPayee(options: PayeeOptions = {}) {
  const { media = [MEDIUM], prices = () => PRICES, now = Date.now } = options
  const rates = new Map(media.map(({ token, baseUnitsPerUnit }) => [token, baseUnitsPerUnit]))
  const folder = await mkdtemp(join(tmpdir(), 'mainframe-payee-'))
  const { nodeSeed = Uint8Array.from(randomBytes(32)) } = options
  const nodeKey = (await generateKeyPairFromSeed('Ed25519', nodeSeed)).publicKey.raw
  const sealKey = createKeyPair()
  const channels = new Map<Hex, ChannelRow>()
  const listeners = new Set<() => void>()
  const directory: Directory = {
    relays: new Map(),
    channels,
    earlierClaims: new Map(),
    epoch: undefined,
    confirmedBlock: 1,
    byPeerKey: () => undefined,
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  const vouchers = await openVoucherLog(join(folder, 'vouchers.log'))
  const released = await openSignedLog(join(folder, 'released.log'))
  const common = { directory, released, payee: toHex(PAYEE), domain: DOMAIN }
  const ledger = new CreditLedger({
    ...common,
    viewAgeSeconds: () => 0,
    maxViewAgeSeconds: 1,
    vouchers,
    terms: { media, minNoticeSeconds: NOTICE_SECONDS, maxWindowUnits: WINDOW_UNITS },
  })
  const releases = new Releases({ ...common, ledger, payeeSecret: PAYEE_SECRET })
  const { quotaBytes = 1e9, maxLinks = 50 } = options
  const holds = await HoldStore.open({ folder: join(folder, 'holds'), quotaBytes })
  const neighbour: OverlayRelay = relay('1')
  const forwarded: Dispatch[] = []
  const link: PacketLink = {
    ...linkTo(neighbour),
    ship: (dispatch) => forwarded.push(dispatch) > 0,
  }
  const self = addressOf('0', 0x5a)
  const failures: unknown[] = []
  const router = new Router({
    view: () => createView(self, 0, [neighbour]),
    prices,
    links: () => new Map([[neighbour.peerKey, link]]),
    holds,
    sealKeys: [sealKey],
    memory: {
      seen: new SeenMemory({ capacity: 100_000, keyBytes: 16 }),
      acted: new SeenMemory({ capacity: 100_000, keyBytes: 32 }),
      forgottenUntilMinutes: 0,
    },
    limits: { delayed: 100, owed: 100 },
    onFailure: (error) => failures.push(error),
    now,
  })
  const incoming = new IncomingLinks({
    chainId: CHAIN_ID,
    channels: CHANNELS,
    quotes: createQuoter({
      nodeSeed,
      domain: DOMAIN,
      payee: PAYEE,
      media,
      maxWindowUnits: WINDOW_UNITS,
      noticeSeconds: NOTICE_SECONDS,
      confirmations: 0,
      self: () => ({ nodeId: new Uint8Array(32), payee: PAYEE, prices: prices(), rates }),
      now,
    }),
    ledger,
    releases,
    receive: (arrival) => router.receive(arrival),
    holds,
    subscriptions: new Subscriptions({ holds, limit: 10 }),
    onFailure: (error) => failures.push(error),
    onPeer: () => {},
    maxLinks,
  })
  const limits = { maxConnections: 100, maxConnectionsPerSecond: 1_000 }
  const network = new Network({ nodeSeed, listen: ['/ip4/127.0.0.1/tcp/0'], ...limits })
  await network.start((stream, key) => incoming.accept(stream, key))
  const clientSeed = Uint8Array.from(randomBytes(32))
  const client = new Network({ nodeSeed: clientSeed, listen: [], ...limits })
  await client.start(() => {})

  return {
    channels,
    forwarded,
    failures,
    holds,
    incoming,
    ledger,
    releases,
    nodeKey,
    router,
    sealKey,
    self,
    openStream: () =>
      client.open({ nodeKey, multiaddrs: network.multiaddrs }, AbortSignal.timeout(5_000)),
    async connect(): Promise<RawPayer> {
      return new RawPayer(await this.openStream())
    },
    /** Announces a channel as the chain would. */
    confirm(channel: TestChannel): TestChannel {
      channels.set(channel.row.channelId, channel.row)
      for (const listener of listeners) listener()
      return channel
    },
    async stop(): Promise<void> {
      await incoming.stop()
      router.stop()
      await client.stop()
      await network.stop()
      ledger.close()
      await vouchers.close()
      await released.close()
      await holds.close()
      await rm(folder, { recursive: true })
    },
  }
}

export type Payee = Awaited<ReturnType<typeof createPayee>>
