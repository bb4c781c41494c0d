/** From the two logs to the relays that may be listed. Shares no code with the project. */
import { ed25519 } from '@noble/curves/ed25519.js'
import { concat, getBytes, keccak256, toUtf8Bytes, zeroPadValue } from 'ethers'
import type { LoggedEvent } from './log.ts'

export interface Relay {
  nodeId: string
  operator: string
  stake: bigint
  updatedBlock: number
  active: boolean
  /** Null: not signed by its key, or not placed yet. */
  address: string | null
}

export interface PriceOf {
  nodeId: string
  service: string
  token: string
  schedule: bigint
}

/** Where and of what the answer is. */
export interface Place {
  chainId: number
  registry: string
  block: number
}

/** Relays as of a block, by id. */
export function relaysOf(events: readonly LoggedEvent[], place: Place): Map<string, Relay> {
  const relays = new Map<string, Relay>()
  for (const event of events) {
    const { name, args, blockNumber } = event
    const nodeId = String(args['nodeId'])
    if (name === 'Registered') {
      relays.set(nodeId, registered(event, nodeId, place))
      continue
    }
    const relay = relays.get(nodeId)
    if (!relay) throw new Error(`relay ${nodeId} was never registered`)
    relay.updatedBlock = blockNumber
    if (name === 'StakeAdded') relay.stake = args['stake']
    if (name === 'UnstakeBegun') relay.active = false
    if (name === 'StakeWithdrawn') relay.stake = 0n
  }
  return relays
}

function registered(event: LoggedEvent, nodeId: string, place: Place): Relay {
  const { args, blockNumber, seedBlockHash } = event
  const isPlaced = blockNumber < place.block && seedBlockHash !== null
  const listed = isPlaced && isSigned(args['nodeKey'], args['signature'], args['operator'], place)
  return {
    nodeId,
    operator: String(args['operator']).toLowerCase(),
    stake: args['stake'],
    updatedBlock: blockNumber,
    active: true,
    address: listed ? keccak256(concat([nodeId, seedBlockHash])) : null,
  }
}

function isSigned(key: string, signature: string, operator: string, place: Place): boolean {
  const message = concat([
    toUtf8Bytes('mainframe/register/1'),
    zeroPadValue(`0x${place.chainId.toString(16).padStart(8, '0')}`, 32),
    place.registry,
    operator,
  ])
  const options = { zip215: false }
  try {
    return ed25519.verify(getBytes(signature), getBytes(message), getBytes(key), options)
  } catch {
    return false // not a key, or not a signature
  }
}

/** The newest row of each (node, service, token). */
export function pricesOf(events: readonly LoggedEvent[]): PriceOf[] {
  const rows = new Map<string, PriceOf>()
  for (const { args } of events) {
    const [nodeId, service] = [String(args['nodeId']), String(args['service'])]
    const token = String(args['token']).toLowerCase()
    const schedule = args['schedule'] as bigint
    rows.set(`${nodeId} ${service} ${token}`, { nodeId, service, token, schedule })
  }
  return [...rows.values()]
}

/** What a row asks at a time, in base units; null when it is not for sale. */
export function askedAt(schedule: bigint, seconds: number): bigint | null {
  const field = (at: bigint, bits: bigint) => (schedule >> at) & ((1n << bits) - 1n)
  if (field(240n, 1n) === 0n) return null
  const price = BigInt(seconds) >= field(192n, 40n) ? field(96n, 96n) : field(0n, 96n)
  return price === 0n ? null : price
}
