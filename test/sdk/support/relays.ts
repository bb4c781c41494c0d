/** Relays and views of them that no chain has seen: for what only computes with them. */
import { createHash } from 'node:crypto'
import { BASE_PER_UNIT, type BoardRow, createKeyPair, type Hex, toHex } from '@mainframe/protocol'
import { HOLD, ROUTE } from '../../../sdk/src/directory/check-node.ts'
import type { DirectoryView, Relay } from '../../../sdk/src/directory/relay.ts'
import { createView } from '../../../sdk/src/directory/view.ts'

const digest = (text: string): Uint8Array =>
  Uint8Array.from(createHash('sha256').update(text).digest())

export const hexOf = (text: string): Hex => toHex(digest(text))

function row(service: Hex, units: number, unit: number): BoardRow {
  const price = BigInt(units) * 10n ** 9n
  const token: Hex = `0x${'11'.repeat(20)}`
  return { service, token, price, next: price, nextFrom: 0, unit, active: true }
}

/** A relay called `name`, of an operator of its own unless another is named. */
export function makeRelay(name: string, changes: Partial<Relay> = {}): Relay {
  const prices = { routeUnits: 1000, holdUnitsPerHour: 20 }
  return {
    nodeId: hexOf(name),
    operator: hexOf(`operator of ${name}`).slice(0, 42) as Hex,
    payee: hexOf(`payee of ${name}`).slice(0, 42) as Hex,
    nodeKey: digest(`node key of ${name}`),
    sealKey: createKeyPair(digest(`seal key of ${name}`)).publicKey,
    address: digest(`address of ${name}`),
    multiaddrs: ['/ip4/127.0.0.1/tcp/1'],
    stakeBase: 10n ** 21n,
    updatedBlock: 1,
    rows: {
      route: row(ROUTE, prices.routeUnits, 0),
      hold: row(HOLD, prices.holdUnitsPerHour, 1),
    },
    prices,
    rate: BASE_PER_UNIT,
    ...changes,
  }
}

export function makeView(relays: readonly Relay[], users = 0, nowMs = 0): DirectoryView {
  const block = { number: 100, hash: hexOf('block'), time: Math.floor(nowMs / 1000) }
  return createView({ relays: [...relays], block, users }, nowMs)
}

/** `count` relays called r0, r1… */
export function makeRelays(count: number): Relay[] {
  return Array.from({ length: count }, (_, i) => makeRelay(`r${i}`))
}
