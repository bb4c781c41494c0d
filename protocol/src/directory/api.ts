/**
 * The JSON bodies of an indexer's HTTP interface, shared by the indexer that answers and the clients
 * that ask. Money is a decimal string of base units, bytes are lower-case 0x-hex, times are Unix
 * seconds. What a body claims is checked against the chain before money moves: `multiaddrsRaw` and
 * `metadata` are there so that the record's hash can be recomputed.
 */
import type { Hex } from '../bytes.ts'
import type { ErrorCode } from '../errors.ts'
import type { RankFactors } from './rank.ts'

/** Where a contract's verifiable log stands: its `continuity()` at the block of the answer. */
export interface ApiContinuity {
  seq: number
  head: Hex
}

/** Which state of the chain an answer speaks of; part of every body under `/v1`. */
export interface ApiMeta {
  chainId: number
  block: { number: number; hash: Hex; time: number }
  /** Number of the last block that the indexer treats as final. */
  finalized: number
  /** The time at which `current` prices are in force. */
  now: number
  registry: ApiContinuity
  board: ApiContinuity
}

/** A row of the price board. */
export interface ApiPrice {
  service: Hex
  token: Hex
  price: string
  next: string
  nextFrom: number
  unit: number
  active: boolean
  /** The price in force at `meta.now`; null when the service is not for sale. */
  current: string | null
}

/** A relay. */
export interface ApiNode {
  nodeId: Hex
  operator: Hex
  nodeKey: Hex
  manager: Hex
  payee: Hex
  sealKey: Hex
  /** The addresses that are printable text and start with "/", at most 16. */
  multiaddrs: string[]
  /** The record's bytes as they stand on the chain. */
  multiaddrsRaw: Hex
  metadata: Hex
  stake: string
  active: boolean
  /** From when the stake may be withdrawn; 0 while active. */
  unlockAt: number
  registeredBlock: number
  updatedBlock: number
  /** Hash of block `registeredBlock` + 1; null until that block is known. */
  seedBlockHash: Hex | null
  overlayAddress: Hex | null
  /** The registration's Ed25519 signature, and whether it is valid: others are never listed. */
  signature: Hex
  signed: boolean
  prices: ApiPrice[]
}

/** GET /v1/nodes/{id} */
export interface ApiNodeAnswer {
  meta: ApiMeta
  node: ApiNode
}

/** GET /v1/nodes, by overlay address. A page may be short, even empty, and still have a `next`. */
export interface ApiNodesAnswer {
  meta: ApiMeta
  nodes: ApiNode[]
  /** The `cursor` of the next page; null on the last one. */
  next: string | null
}

/** GET /v1/nodes/closest, the closest first. */
export interface ApiClosestAnswer {
  meta: ApiMeta
  nodes: ApiNode[]
}

/** POST /v1/discover */
export interface ApiDiscoverRequest {
  /** Services that a relay must all offer: names such as "route/1", or their 32-byte ids. */
  need: string[]
  /** Medium of exchange; MFT unless given. */
  token?: Hex
  /** The most that any of the services may cost, base units. */
  maxPrice?: string
  /** 1 to 32 bytes of the client's choice, which draw the order. */
  seed: Hex
  /** Results wanted, 1 to 64. */
  k: number
}

/** A ranked relay. `rankOffers` gives the same factors, weight and score from the same body. */
export interface ApiOffer {
  node: ApiNode
  factors: RankFactors
  weight: number
  score: number
}

/** Answer of POST /v1/discover, the best first. */
export interface ApiDiscoverAnswer {
  meta: ApiMeta
  /** The `RankReference`: medians in the order of `need`, and the median stake of the candidates. */
  reference: { services: Hex[]; token: Hex; medians: string[]; stake: string }
  /** How many relays met the need before `k` and the limit per operator. */
  candidates: number
  offers: ApiOffer[]
}

/** A service that somebody offers, by id; `name` where it is one of the protocol's. */
export interface ApiService {
  service: Hex
  name: string | null
  /** Rows of the price board that offer it in the token, listed relays or not; counted to 1,000. */
  rows: number
}

/** GET /v1/services */
export interface ApiServicesAnswer {
  meta: ApiMeta
  services: ApiService[]
  next: string | null
}

/** GET /v1/services/{id}/offers */
export interface ApiServiceOffersAnswer {
  meta: ApiMeta
  offers: { nodeId: Hex; operator: Hex; overlayAddress: Hex; price: ApiPrice }[]
  next: string | null
}

/** What listed relays ask for one service in one token; nulls when nobody offers it. */
export interface ApiPriceSummary {
  service: Hex
  token: Hex
  offers: number
  p10: string | null
  median: string | null
  p90: string | null
}

/** GET /v1/prices/summary */
export interface ApiPricesSummaryAnswer {
  meta: ApiMeta
  summaries: ApiPriceSummary[]
}

/** A payment channel; `deposit` and `claimed` count within `epoch`. */
export interface ApiChannel {
  channelId: Hex
  payer: Hex
  payee: Hex
  token: Hex
  signer: Hex
  noticeSeconds: number
  epoch: number
  deposit: string
  claimed: string
  closesAt: number
  state: 'open' | 'closing' | 'closed'
  updatedBlock: number
}

/** GET /v1/channels/{id} */
export interface ApiChannelAnswer {
  meta: ApiMeta
  channel: ApiChannel
}

/** GET /v1/accounts/{address}/channels: those it pays and those that pay it. */
export interface ApiChannelsAnswer {
  meta: ApiMeta
  channels: ApiChannel[]
  next: string | null
}

/** A relay in the picture of the network. */
export interface ApiRingRelay {
  nodeId: Hex
  operator: Hex
  overlayAddress: Hex
  stake: string
  /** What it asks now, base units of MFT; null when it does not offer the service. */
  route: string | null
  hold: string | null
  /** Channels that pay it, and what it has claimed of them in their present epochs; of 1,000 at most. */
  channels: number
  claimed: string
}

/** The network for people and pictures. */
export interface ApiTopology {
  /** Relays by overlay address; an even part of them where there are more than 500. */
  ring: ApiRingRelay[]
  /** The newest blocks first, 20 at most. */
  blocks: { number: number; hash: Hex; time: number }[]
  /** Blocks that the chain dropped lately, the newest first, 20 at most. */
  dropped: { number: number; hash: Hex }[]
  channels: { open: number; closing: number; closed: number; deposit: string; claimed: string }
  /** Of all listed relays, base units. */
  stake: string
}

/** GET /v1/network */
export interface ApiNetworkAnswer {
  meta: ApiMeta
  /** Active relays with a valid signature and a known overlay address. */
  activeRelays: number
  /** Accounts with an open channel that are not payees of active relays. */
  users: number
  /** `networkLuminosity(activeRelays, users)`. */
  luminosity: number
  /** Of the services that every relay offers, in MFT. */
  prices: { route: ApiPriceSummary; hold: ApiPriceSummary }
  /** Null unless `topology=true` asks for it. */
  topology: ApiTopology | null
}

/** Why an indexer is not ready. */
export type ApiNotReadyReason =
  | 'starting'
  | 'back-filling'
  | 'lagging'
  | 'rpc-down'
  | 'rpc-inconsistent'
  | 'database-down'
  | 'stopping'

/** GET /readyz, with status 200 when ready and 503 otherwise. */
export interface ApiReadyAnswer {
  ready: boolean
  reasons: ApiNotReadyReason[]
  /** Last block taken in, and the chain's last block as far as the indexer knows; null before. */
  block: number | null
  head: number | null
}

/** Body of every refusal (RFC 9457); `code` is one of `ERROR_CODES`. */
export interface ApiProblem {
  type: string
  title: string
  status: number
  detail: string
  code: ErrorCode
}
