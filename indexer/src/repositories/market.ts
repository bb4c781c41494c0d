/** Offers of services and what they cost. */
import type {
  ApiMeta,
  ApiPriceSummary,
  ApiServiceOffersAnswer,
  Hex,
  PriceRow,
} from '@mainframe/protocol'
import { bytea, type Queryable } from '../db/database.ts'
import { columnsOf, currentPriceAt, PRICE_TABLE } from '../db/tables.ts'
import { priceAnswer } from './answers.ts'
import { LISTED, type PriceFilter, SCAN_LIMIT } from './nodes.ts'

/** Relays that a discovery chooses among; beyond this it takes a seeded part of them. */
const MAX_CANDIDATES = 1_000

/** What listed nodes ask for a service, and until when nobody's price rises by itself: Unix seconds. */
export interface PriceSummary {
  summary: ApiPriceSummary
  until: number
}

/** p10, median and p90 of what listed nodes ask now; the median of two middle values is the lower. */
export async function summarisePrices(
  tx: Queryable,
  meta: ApiMeta,
  { service, token }: { service: Hex; token: Hex },
): Promise<PriceSummary> {
  type Row = { offers: number; quantiles: (string | null)[] | null; until: number | null }
  const [row] = await tx.query<Row>(
    `SELECT count(asked) AS offers, min(next_from) FILTER (WHERE next_from > $3::bigint) AS until,
       to_jsonb((percentile_disc(ARRAY[0.1, 0.5, 0.9]) WITHIN GROUP (ORDER BY asked))::text[])
         AS quantiles
     FROM (
       SELECT ${currentPriceAt('$3')} AS asked, next_from FROM price JOIN node USING (node_id)
       WHERE service = $1::bytea AND token = $2::bytea AND price.active
         AND node.signed AND node.active AND node.overlay_address IS NOT NULL
     ) AS offer`,
    [bytea(service), bytea(token), meta.now],
  )
  const [p10 = null, median = null, p90 = null] = row?.quantiles ?? []
  const summary = { service, token, offers: row?.offers ?? 0, p10, median, p90 }
  return { summary, until: row?.until ?? Number.POSITIVE_INFINITY }
}

/** A page of the offers of one service. */
export interface OfferQuery extends PriceFilter {
  limit: number
  /** Node id after which the page begins. */
  after: Hex | undefined
}

/** Who offers a service, by node id. */
export async function listOffers(
  tx: Queryable,
  meta: ApiMeta,
  query: OfferQuery,
): Promise<{ offers: ApiServiceOffersAnswer['offers']; next: Hex | null }> {
  type Scanned = PriceRow & { operator: Hex; overlayAddress: Hex; fits: boolean | null }
  const scanned = await tx.query<Scanned>(
    `SELECT ${columnsOf(PRICE_TABLE)}, operator, overlay_address AS "overlayAddress",
       node.signed AND node.active AND overlay_address IS NOT NULL
         AND ${currentPriceAt('$5')} <= coalesce($6::numeric, 'infinity') AS fits
     FROM (
       SELECT * FROM price WHERE service = $1::bytea AND token = $2::bytea AND active
         AND node_id > $3::bytea ORDER BY node_id LIMIT $4::integer
     ) AS price JOIN node USING (node_id) ORDER BY price.node_id`,
    [
      bytea(query.service),
      bytea(query.token),
      query.after === undefined ? '' : bytea(query.after),
      SCAN_LIMIT,
      meta.now,
      query.maxPrice ?? null,
    ],
  )
  const matching = scanned.filter((row) => row.fits === true)
  const page = matching.slice(0, query.limit)
  const full = matching.length > query.limit
  const last = full ? page.at(-1) : scanned.at(-1)
  const exhausted = !full && scanned.length < SCAN_LIMIT
  const offers = page.map((row) => {
    const { nodeId, operator, overlayAddress } = row
    return { nodeId, operator, overlayAddress, price: priceAnswer(row, meta.now) }
  })
  return { offers, next: exhausted ? null : (last?.nodeId ?? null) }
}

/** Rows of a service that are counted. */
const COUNTED_ROWS = 1_000

/** A page of services. */
export interface ServicesQuery {
  token: Hex
  limit: number
  /** Service id after which the page begins. */
  after: Hex | undefined
}

/** The services that are offered in a token, by id: one look into the index for each, however many rows. */
export async function listServices(
  tx: Queryable,
  { token, limit, after }: ServicesQuery,
): Promise<{ services: { service: Hex; rows: number }[]; next: Hex | null }> {
  const nextAfter = (id: string) =>
    `(SELECT service FROM price WHERE active AND service > ${id} ORDER BY service LIMIT 1)`
  const found = await tx.query<{ service: Hex; rows: number }>(
    `WITH RECURSIVE found(service, place) AS (
       SELECT ${nextAfter('$1::bytea')}, 1
       UNION ALL
       SELECT ${nextAfter('found.service')}, place + 1 FROM found
       WHERE found.service IS NOT NULL AND place <= $2::integer
     )
     SELECT service, (SELECT count(*) FROM (
       SELECT FROM price WHERE price.service = found.service AND token = $3::bytea AND active
       LIMIT ${COUNTED_ROWS}
     ) AS counted) AS rows
     FROM found WHERE service IS NOT NULL ORDER BY place`,
    [after === undefined ? '' : bytea(after), limit, bytea(token)],
  )
  const services = found.slice(0, limit)
  return { services, next: found.length > limit ? (services.at(-1)?.service ?? null) : null }
}

/** What a discovery asks for; `from` is the overlay address at which it begins to look. */
export interface CandidateQuery {
  services: readonly Hex[]
  token: Hex
  maxPrice: string | undefined
  from: Hex
}

/** A listed node that offers everything that is needed. */
export interface Candidate {
  nodeId: Hex
  operator: Hex
  stake: bigint
  updatedBlock: number
  /** Prices in force, in the order of the services. */
  prices: bigint[]
}

/** Listed nodes that offer all services, in a ring of the address space that begins at `from`. */
export async function findCandidates(
  tx: Queryable,
  meta: ApiMeta,
  query: CandidateQuery,
): Promise<Candidate[]> {
  const parts = ['overlay_address >= $1::bytea', 'overlay_address < $1::bytea'].map(
    (part) => `(SELECT * FROM node WHERE ${LISTED} AND ${part}
       ORDER BY overlay_address LIMIT ${MAX_CANDIDATES})`,
  )
  const rows = await tx.query<Omit<Candidate, 'prices'> & { prices: string[] }>(
    `SELECT node.node_id AS "nodeId", operator, stake, node.updated_block AS "updatedBlock", prices
     FROM (${parts.join(' UNION ALL ')} LIMIT ${MAX_CANDIDATES}) AS node, LATERAL (
       SELECT jsonb_agg(asked::text ORDER BY place) AS prices FROM (
         SELECT place, ${currentPriceAt('$3')} AS asked
         FROM jsonb_array_elements_text($2::jsonb) WITH ORDINALITY AS wanted(id, place)
         JOIN price ON price.node_id = node.node_id
           AND price.service = wanted.id::bytea AND price.token = $4::bytea
       ) AS offer WHERE asked <= coalesce($5::numeric, 'infinity')
     ) AS offered WHERE jsonb_array_length(prices) = jsonb_array_length($2::jsonb)`,
    [
      bytea(query.from),
      JSON.stringify(query.services.map(bytea)),
      meta.now,
      bytea(query.token),
      query.maxPrice ?? null,
    ],
  )
  return rows.map((row) => ({ ...row, prices: row.prices.map(BigInt) }))
}
