/** Everything that can be seen of a state, in the order in which Stage.sol reports it. */
import type { Interface } from 'ethers'
import type { Facts } from './draft.ts'
import { type Channel, CLOSED, moneyKey, type State } from './state.ts'
import { COIN, type Place, type Tokens } from './universe.ts'

/** What is looked at. */
export interface Scene {
  facts: Facts
  places: readonly Place[]
  tokens: Tokens
  /** Whose vaults and wallets are looked at, beside the wallets of the channels. */
  owners: readonly string[]
}

export interface Sight {
  name: string
  value: bigint
}

/** A call for Stage.sol. */
export interface View {
  target: string
  data: string
}

const contractsOf = (tokens: Tokens) =>
  Object.entries(tokens).filter(([, address]) => address !== COIN)
const holdersOf = ({ facts, owners }: Scene) => [facts.address, ...owners]

/** The calls whose answers are `sights`, but for the balances of the coin, which stand at the end. */
export function viewsOf(scene: Scene, channels: Interface, token: Interface): View[] {
  const { facts, places, tokens, owners } = scene
  const ask = (name: string, ...args: unknown[]) => {
    return { target: facts.address, data: channels.encodeFunctionData(name, args) }
  }
  const balance = (address: string, holder: string) => {
    return { target: address, data: token.encodeFunctionData('balanceOf', [holder]) }
  }
  return [
    ask(
      'slots',
      places.map(({ id }) => id),
    ),
    ...owners.map((owner) => ask('vaults', Object.values(tokens), owner)),
    ...contractsOf(tokens).flatMap(([, address]) =>
      holdersOf(scene).map((holder) => balance(address, holder)),
    ),
  ]
}

/** Every word of the answers in a state, with its name. */
export function sights(scene: Scene, { channels, vaults, wallets }: State): Sight[] {
  const { places, tokens, owners } = scene
  const wallet = (name: string, token: string, owner: string) => {
    return {
      name: `${name} in the wallet of ${owner}`,
      value: wallets[moneyKey(token, owner)] ?? 0n,
    }
  }
  const vault = (name: string, token: string, owner: string) => {
    return { name: `${name} in the vault of ${owner}`, value: vaults[moneyKey(token, owner)] ?? 0n }
  }
  return [
    ...list(
      'channels',
      places.flatMap((place) => slot(place, channels[place.id] ?? CLOSED)),
      4,
    ),
    ...owners.flatMap((owner) =>
      list(
        'tokens',
        Object.entries(tokens).map(([name, token]) => vault(name, token, owner)),
        1,
      ),
    ),
    ...[...contractsOf(tokens), ['coin', COIN] as const].flatMap(([name, token]) =>
      holdersOf(scene).map((holder) => wallet(name, token, holder)),
    ),
  ]
}

function slot(
  { id, payer, payee }: Place,
  { deposit, claimed, closesAt, epoch }: Channel,
): Sight[] {
  const numbers = { deposit, claimed, closesAt, epoch: BigInt(epoch) }
  return Object.entries(numbers).map(([field, value]) => {
    return { name: `${field} of ${payer}'s channel to ${payee}, ${id}`, value }
  })
}

/** A list is answered with where it begins and its length before it. */
function list(what: string, items: Sight[], wordsEach: number): Sight[] {
  const length = BigInt(items.length / wordsEach)
  return [{ name: 'offset', value: 32n }, { name: `number of ${what}`, value: length }, ...items]
}
