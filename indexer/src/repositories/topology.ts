/** What the picture of the network is drawn from. Every list here is bounded; sums are cached by block. */
import {
  type ApiMeta,
  type ApiTopology,
  type Hex,
  SERVICE_NAMES,
  serviceId,
  toHex,
} from '@mainframe/protocol'
import { bytea, type Queryable } from '../db/database.ts'
import { currentPriceAt } from '../db/tables.ts'
import { LISTED } from './nodes.ts'

/** More are no picture. */
const RING_RELAYS = 500
const RECENT = 20
/** Channels of one relay that are looked at. */
const CHANNELS_PER_RELAY = 1_000

const ROUTE = toHex(serviceId(SERVICE_NAMES.route))
const HOLD = toHex(serviceId(SERVICE_NAMES.hold))

/** The network as of `meta`, with prices in `token`. */
export async function readTopology(
  tx: Queryable,
  meta: ApiMeta,
  { token, relays }: { token: Hex; relays: number },
): Promise<ApiTopology> {
  return {
    ring: await readRing(tx, meta, { token, relays }),
    blocks: await tx.query(
      `SELECT number, hash, time FROM chain_block ORDER BY number DESC LIMIT ${RECENT}`,
      [],
    ),
    dropped: await readDropped(tx),
    ...(await readSums(tx)),
  }
}

async function readRing(
  tx: Queryable,
  meta: ApiMeta,
  { token, relays }: { token: Hex; relays: number },
): Promise<ApiTopology['ring']> {
  type Row = {
    nodeId: Hex
    operator: Hex
    overlayAddress: Hex
    stake: bigint
    route: bigint | null
    hold: bigint | null
    channels: number
    claimed: bigint
  }
  const step = Math.max(1, Math.ceil(relays / RING_RELAYS))
  const asked = (service: number) => `(SELECT ${currentPriceAt('$1')} FROM price
    WHERE price.node_id = node.node_id AND service = $${service}::bytea AND token = $2::bytea)`
  const rows = await tx.query<Row>(
    `SELECT node_id AS "nodeId", operator, overlay_address AS "overlayAddress", stake,
       ${asked(3)} AS route, ${asked(4)} AS hold, paid.channels, paid.claimed
     FROM (
       SELECT node.*, row_number() OVER (ORDER BY overlay_address) AS place FROM node WHERE ${LISTED}
     ) AS node, LATERAL (
       SELECT count(*) AS channels, coalesce(sum(claimed), 0) AS claimed FROM (
         SELECT claimed FROM channel WHERE payee = node.payee LIMIT ${CHANNELS_PER_RELAY}
       ) AS own
     ) AS paid WHERE place % $5::integer = 0 ORDER BY overlay_address LIMIT ${RING_RELAYS}`,
    [meta.now, bytea(token), bytea(ROUTE), bytea(HOLD), step],
  )
  return rows.map(({ stake, route, hold, claimed, ...row }) => ({
    ...row,
    stake: String(stake),
    route: route === null ? null : String(route),
    hold: hold === null ? null : String(hold),
    claimed: String(claimed),
  }))
}

/** Of the newest rows of the outbox: reorganisations of long ago interest nobody. */
function readDropped(tx: Queryable): Promise<ApiTopology['dropped']> {
  return tx.query(
    `SELECT block_number AS number, block_hash AS hash FROM (
       SELECT * FROM outbox ORDER BY id DESC LIMIT 1000
     ) AS told WHERE kind = 'retraction' AND body ? 'toBlock' ORDER BY id DESC LIMIT ${RECENT}`,
    [],
  )
}

async function readSums(tx: Queryable): Promise<Pick<ApiTopology, 'channels' | 'stake'>> {
  const [channels] = await tx.query<{
    open: number
    closing: number
    closed: number
    deposit: bigint
    claimed: bigint
  }>(
    `SELECT count(*) FILTER (WHERE state = 'open') AS open,
       count(*) FILTER (WHERE state = 'closing') AS closing,
       count(*) FILTER (WHERE state = 'closed') AS closed,
       coalesce(sum(deposit) FILTER (WHERE state <> 'closed'), 0) AS deposit,
       coalesce(sum(claimed), 0) AS claimed FROM channel`,
    [],
  )
  const [staked] = await tx.query<{ stake: bigint }>(
    `SELECT coalesce(sum(stake), 0) AS stake FROM node WHERE ${LISTED}`,
    [],
  )
  const { open = 0, closing = 0, closed = 0, deposit = 0n, claimed = 0n } = channels ?? {}
  return {
    channels: { open, closing, closed, deposit: String(deposit), claimed: String(claimed) },
    stake: String(staked?.stake ?? 0n),
  }
}
