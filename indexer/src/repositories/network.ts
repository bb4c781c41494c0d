import type { Queryable } from '../db/database.ts'
import { LISTED } from './nodes.ts'

/** The two numbers that the network's luminosity follows from. */
export interface NetworkCounts {
  /** Listed relays. */
  relays: number
  /** Accounts with an open channel that are not payees of relays. */
  users: number
}

export async function countNetwork(tx: Queryable): Promise<NetworkCounts> {
  const [row] = await tx.query<NetworkCounts>(
    `SELECT (SELECT count(*) FROM node WHERE ${LISTED}) AS relays,
       (SELECT count(DISTINCT payer) FROM channel WHERE state = 'open' AND NOT EXISTS (
         SELECT FROM node WHERE node.payee = channel.payer AND node.signed AND node.active
       )) AS users`,
    [],
  )
  return row ?? { relays: 0, users: 0 }
}
