/** Everybody who was ever a member: keys that signatures are checked with, and since when they read. */
import { concatBytes, equalBytes } from '@mainframe/protocol'
import type { GroupMember } from '../mls/group.ts'
import { bytesOf } from './message.ts'
import { nameOf, readerOf, u48 } from './reader.ts'
import { SHELF_KEYS, type Shelf } from './shelf.ts'

const KEY_BYTES = 32
/** Signature keys that are kept of one person, who left and came back with new ones. */
const MAX_KEYS = 4

export interface Person {
  signatureKeys: readonly Uint8Array[]
  /** Lamport time up to which this member gets nothing. */
  floor: number
}

export class People {
  readonly #shelf: Shelf
  readonly #people = new Map<string, Person>()

  constructor(shelf: Shelf) {
    this.#shelf = shelf
  }

  async load(): Promise<void> {
    for (const key of await this.#shelf.list(SHELF_KEYS.people)) {
      const value = await this.#shelf.get(key)
      if (!value) continue
      const reader = readerOf(value)
      const floor = reader.u48()
      const rest = reader.rest()
      const signatureKeys = Array.from({ length: rest.length / KEY_BYTES }, (_, i) =>
        rest.slice(i * KEY_BYTES, (i + 1) * KEY_BYTES),
      )
      this.#people.set(key.slice(SHELF_KEYS.people.length), { floor, signatureKeys })
    }
  }

  get(name: string): Person | undefined {
    return this.#people.get(name)
  }

  /** Those who are no members, the latest first, with the key that they had last. */
  former(members: readonly GroupMember[]): { inboxKey: Uint8Array; signatureKey: Uint8Array }[] {
    const present = new Set(members.map(({ inboxKey }) => nameOf(inboxKey)))
    return [...this.#people]
      .filter(([name]) => !present.has(name))
      .reverse()
      .flatMap(
        ([
          name,
          {
            signatureKeys: [signatureKey],
          },
        ]) => (signatureKey ? [{ inboxKey: bytesOf(name), signatureKey }] : []),
      )
  }

  /** Remembers whose signatures are whose. */
  async remember(members: readonly Pick<GroupMember, 'inboxKey' | 'signatureKey'>[]) {
    for (const { inboxKey, signatureKey } of members) {
      const name = nameOf(inboxKey)
      const known = this.#people.get(name)
      if (known?.signatureKeys.some((key) => equalBytes(key, signatureKey))) continue
      const signatureKeys = [signatureKey, ...(known?.signatureKeys ?? [])].slice(0, MAX_KEYS)
      await this.#write(name, { floor: known?.floor ?? 0, signatureKeys })
    }
  }

  /** Somebody came in with the branch that counts. */
  async setFloor(inboxKey: Uint8Array, floor: number): Promise<void> {
    const name = nameOf(inboxKey)
    const known = this.#people.get(name)
    if (known && known.floor !== floor) await this.#write(name, { ...known, floor })
  }

  async #write(name: string, person: Person): Promise<void> {
    const { floor, signatureKeys } = person
    await this.#shelf.set(SHELF_KEYS.person(name), concatBytes(u48(floor), ...signatureKeys))
    this.#people.set(name, person)
  }
}
