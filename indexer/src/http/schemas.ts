/** The schemas of the interface: they check what comes in, shape what goes out, and document both. */
import type {
  ApiChannelAnswer,
  ApiChannelsAnswer,
  ApiClosestAnswer,
  ApiDiscoverAnswer,
  ApiDiscoverRequest,
  ApiNetworkAnswer,
  ApiNodeAnswer,
  ApiNodesAnswer,
  ApiNotReadyReason,
  ApiPricesSummaryAnswer,
  ApiProblem,
  ApiReadyAnswer,
  ApiServiceOffersAnswer,
  ApiServicesAnswer,
  Hex,
} from '@mainframe/protocol'
import { ERROR_CODES, type ErrorCode } from '@mainframe/protocol'
import { type Static, type TProperties, type TSchema, Type } from 'typebox'

const strict = { additionalProperties: false }
const object = <P extends TProperties>(properties: P) => Type.Object(properties, strict)

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? unknown : never) : never

/**
 * A schema whose values are exactly `T`, or the compiler refuses it: serialisers drop what a schema
 * does not name, so it must not lag behind the protocol's type.
 */
const exactly =
  <T>() =>
  <S extends TSchema>(schema: S & Same<Static<S>, T>): S =>
    schema

const hex = (bytes: number, description: string) =>
  Type.Unsafe<Hex>(Type.String({ pattern: `^0x[0-9a-fA-F]{${2 * bytes}}$`, description }))
const bytes = (description: string) =>
  Type.Unsafe<Hex>(Type.String({ pattern: '^0x(?:[0-9a-fA-F]{2})*$', description }))
const orNull = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) =>
  Type.Union([schema, Type.Null()])
const whole = (description: string) => Type.Integer({ minimum: 0, description })

export const Address = hex(20, 'Account')
export const Word = hex(32, '32 bytes')
export const Money = Type.String({ pattern: '^[0-9]{1,78}$', description: 'Base units, decimal' })
export const ServiceName = Type.String({
  minLength: 1,
  maxLength: 66,
  description: 'Name such as route/1, or its 32-byte id in 0x-hex',
})
export const Limit = Type.Integer({ minimum: 1, maximum: 200, default: 50 })

const Log = object({ seq: whole('Events so far'), head: hex(24, 'Continuity head') })
const Meta = object({
  chainId: whole('EIP-155 chain id'),
  block: object({ number: whole('Number'), hash: Word, time: whole('Unix seconds') }),
  finalized: whole('Number of the last block that counts as final'),
  now: whole('Unix seconds at which current prices are in force'),
  registry: Log,
  board: Log,
})
const Price = object({
  service: Word,
  token: Address,
  price: Money,
  next: Money,
  nextFrom: whole('Unix seconds'),
  unit: Type.Integer({ minimum: 0, maximum: 255 }),
  active: Type.Boolean(),
  current: orNull(Money),
})
const Node = object({
  nodeId: Word,
  operator: Address,
  nodeKey: Word,
  manager: Address,
  payee: Address,
  sealKey: Word,
  multiaddrs: Type.Array(Type.String()),
  multiaddrsRaw: bytes('The record as on chain'),
  metadata: bytes('The record as on chain'),
  stake: Money,
  active: Type.Boolean(),
  unlockAt: whole('Unix seconds; 0 while active'),
  registeredBlock: whole('Block number'),
  updatedBlock: whole('Block number'),
  seedBlockHash: orNull(Word),
  overlayAddress: orNull(Word),
  signature: bytes('Ed25519 signature of the registration by the node key'),
  signed: Type.Boolean({ description: 'Whether that signature is valid' }),
  prices: Type.Array(Price),
})
const Factors = object({
  price: Type.Number(),
  stake: Type.Number(),
  freshness: Type.Number(),
  quality: Type.Number(),
})
const Summary = object({
  service: Word,
  token: Address,
  offers: whole('Listed relays that offer it now'),
  p10: orNull(Money),
  median: orNull(Money),
  p90: orNull(Money),
})
const Channel = object({
  channelId: Word,
  payer: Address,
  payee: Address,
  token: Address,
  signer: Address,
  noticeSeconds: whole('Seconds'),
  epoch: whole('Times opened'),
  deposit: Money,
  claimed: Money,
  closesAt: whole('Unix seconds; 0 when no close is under way'),
  state: Type.Enum(['open', 'closing', 'closed']),
  updatedBlock: whole('Block number'),
})
const Next = orNull(Type.String({ description: 'Cursor of the next page' }))

export const NodeAnswer = exactly<ApiNodeAnswer>()(object({ meta: Meta, node: Node }))
export const NodesAnswer = exactly<ApiNodesAnswer>()(
  object({ meta: Meta, nodes: Type.Array(Node), next: Next }),
)
export const ClosestAnswer = exactly<ApiClosestAnswer>()(
  object({ meta: Meta, nodes: Type.Array(Node) }),
)
export const DiscoverRequest = exactly<ApiDiscoverRequest>()(
  object({
    need: Type.Array(ServiceName, { minItems: 1, maxItems: 4, uniqueItems: true }),
    token: Type.Optional(Address),
    maxPrice: Type.Optional(Money),
    seed: Type.Unsafe<Hex>(Type.String({ pattern: '^0x(?:[0-9a-fA-F]{2}){1,32}$' })),
    k: Type.Integer({ minimum: 1, maximum: 64 }),
  }),
)
export const DiscoverAnswer = exactly<ApiDiscoverAnswer>()(
  object({
    meta: Meta,
    reference: object({
      services: Type.Array(Word),
      token: Address,
      medians: Type.Array(Money),
      stake: Money,
    }),
    candidates: whole('Relays that meet the need'),
    offers: Type.Array(
      object({ node: Node, factors: Factors, weight: Type.Number(), score: Type.Number() }),
    ),
  }),
)
export const ServiceOffersAnswer = exactly<ApiServiceOffersAnswer>()(
  object({
    meta: Meta,
    offers: Type.Array(
      object({ nodeId: Word, operator: Address, overlayAddress: Word, price: Price }),
    ),
    next: Next,
  }),
)
export const ServicesAnswer = exactly<ApiServicesAnswer>()(
  object({
    meta: Meta,
    services: Type.Array(
      object({
        service: Word,
        name: orNull(Type.String()),
        rows: whole('Rows of the price board that offer it, 1000 at most'),
      }),
    ),
    next: Next,
  }),
)
export const PricesSummaryAnswer = exactly<ApiPricesSummaryAnswer>()(
  object({ meta: Meta, summaries: Type.Array(Summary) }),
)
export const ChannelAnswer = exactly<ApiChannelAnswer>()(object({ meta: Meta, channel: Channel }))
export const ChannelsAnswer = exactly<ApiChannelsAnswer>()(
  object({ meta: Meta, channels: Type.Array(Channel), next: Next }),
)
const RingRelay = object({
  nodeId: Word,
  operator: Address,
  overlayAddress: Word,
  stake: Money,
  route: orNull(Money),
  hold: orNull(Money),
  channels: whole('Channels that pay it'),
  claimed: Money,
})
const Block = { number: whole('Number'), hash: Word }
const Topology = object({
  ring: Type.Array(RingRelay),
  blocks: Type.Array(object({ ...Block, time: whole('Unix seconds') })),
  dropped: Type.Array(object(Block)),
  channels: object({
    open: whole('Channels'),
    closing: whole('Channels'),
    closed: whole('Channels'),
    deposit: Money,
    claimed: Money,
  }),
  stake: Money,
})
export const NetworkAnswer = exactly<ApiNetworkAnswer>()(
  object({
    meta: Meta,
    activeRelays: whole('Listed relays'),
    users: whole('Accounts with an open channel that are not payees of relays'),
    luminosity: whole('Bits that clients disclose'),
    prices: object({ route: Summary, hold: Summary }),
    topology: orNull(Topology),
  }),
)
const reasons: ApiNotReadyReason[] = [
  'starting',
  'back-filling',
  'lagging',
  'rpc-down',
  'rpc-inconsistent',
  'database-down',
  'stopping',
]
export const ReadyAnswer = exactly<ApiReadyAnswer>()(
  object({
    ready: Type.Boolean(),
    reasons: Type.Array(Type.Unsafe<ApiNotReadyReason>(Type.Enum(reasons))),
    block: orNull(whole('Last block taken in')),
    head: orNull(whole('Last block of the chain')),
  }),
)
export const Problem = exactly<ApiProblem>()(
  object({
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    code: Type.Unsafe<ErrorCode>(Type.Enum(Object.keys(ERROR_CODES) as ErrorCode[])),
  }),
)
