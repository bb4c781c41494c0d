import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import {
  type ApiMeta,
  type Deployment,
  fromHex,
  type Hex,
  serviceId,
  toHex,
} from '@mainframe/protocol'
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify'
import type { Database, Queryable } from '../db/database.ts'
import type { BlockCache } from '../repositories/block-cache.ts'
import { readMeta } from '../repositories/meta.ts'
import type { SyncStatus } from '../sync/status.ts'
import { Problem } from './schemas.ts'

/** What routes are given. */
export interface ApiContext {
  db: Database
  deployment: Deployment
  cache: BlockCache
  status: () => SyncStatus
  /** True from the moment that the process was asked to stop. */
  isStopping: () => boolean
}

/** A server whose handlers are typed by their schemas. */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

/** Reads in one snapshot, together with the state of the chain that it is of. */
export function readAnswer<T>(
  { db }: ApiContext,
  work: (tx: Queryable, meta: ApiMeta) => Promise<T>,
): Promise<T> {
  return db.read(async (tx) => work(tx, await readMeta(tx)))
}

/** The schema of a route's responses: its own for 200, the problem body for the rest. */
export function responses<S>(ok: S) {
  return { 200: ok, '4xx': Problem, '5xx': Problem } as const
}

/** The id of a service that was given by name or by id. */
export function parseService(text: string): Hex {
  return /^0x[0-9a-fA-F]{64}$/.test(text) ? toHex(fromHex(text)) : toHex(serviceId(text))
}

/** Lower case, as every address and id is stored. */
export function lowerHex<H extends Hex | undefined>(hex: H): H {
  return hex?.toLowerCase() as H
}
