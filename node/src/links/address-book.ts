/** Where peers were last reached: a hint on disk, so that a restart does not begin from nothing. */
import { readFile, stat } from 'node:fs/promises'
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { isErrno, replaceDurably } from '../storage/durable-file.ts'

export interface AddressBookOptions {
  path: string
  /** The file is damaged and started anew, or cannot be written; the relay goes on without it. */
  onTrouble(message: string): void
}

/** Peers that are remembered; those reached the longest ago go first. */
export const MOST_PEERS = 2_048
const MOST_ADDRESS_CHARACTERS = 256
/** More than {@link MOST_PEERS} entries of the largest size. */
const MOST_FILE_BYTES = 1_048_576
/** What is reached within this time is written at once, in milliseconds. */
const SAVE_MS = 30_000

const BookSchema = Type.Object({
  version: Type.Literal(1),
  peers: Type.Array(
    Type.Object({
      peer: Type.String({ pattern: '^0x[0-9a-f]{64}$' }),
      address: Type.String({ pattern: '^/', maxLength: MOST_ADDRESS_CHARACTERS }),
    }),
    { maxItems: MOST_PEERS },
  ),
})
const bookForm = Compile(BookSchema)

export class AddressBook {
  readonly #options: AddressBookOptions
  /** Multiaddr by peer key, in the order in which they were reached. */
  readonly #addresses: Map<string, string>
  #timer: NodeJS.Timeout | undefined
  #saving: Promise<void> = Promise.resolve()

  private constructor(options: AddressBookOptions, { peers }: Pick<Book, 'peers'>) {
    this.#options = options
    this.#addresses = new Map(peers.map(({ peer, address }) => [peer, address]))
  }

  /** Reads the book; one that is damaged is named and left for the next save to replace. */
  static async open(options: AddressBookOptions): Promise<AddressBook> {
    const { path, onTrouble } = options
    const book = await read(path)
    if (book) return new AddressBook(options, book)
    onTrouble(`${path} is damaged: peers are looked for at their registered addresses only`)
    return new AddressBook(options, { peers: [] })
  }

  addressOf(peerKey: string): string | undefined {
    return this.#addresses.get(peerKey)
  }

  /** Takes down where a peer was just reached; written with others within half a minute. */
  note(peerKey: string, address: string): void {
    if (address.length > MOST_ADDRESS_CHARACTERS) return
    const isNew = this.#addresses.get(peerKey) !== address
    this.#addresses.delete(peerKey)
    this.#addresses.set(peerKey, address)
    if (this.#addresses.size > MOST_PEERS) {
      for (const oldest of this.#addresses.keys()) {
        this.#addresses.delete(oldest)
        break
      }
    }
    if (isNew) this.#saveSoon()
  }

  /** Writes what is not written yet. */
  async close(): Promise<void> {
    if (this.#timer) this.#save()
    await this.#saving
  }

  #saveSoon(): void {
    this.#timer ??= setTimeout(() => this.#save(), SAVE_MS)
    this.#timer.unref()
  }

  #save(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#saving = this.#saving.then(() => this.#write())
  }

  async #write(): Promise<void> {
    const { path, onTrouble } = this.#options
    const peers = [...this.#addresses].map(([peer, address]) => ({ peer, address }))
    const book: Book = { version: 1, peers }
    try {
      await replaceDurably(path, Buffer.from(JSON.stringify(book)))
    } catch {
      onTrouble(`${path} cannot be written: after a restart peers are looked for anew`)
    }
  }
}

type Book = Static<typeof BookSchema>

/** `undefined` when it is damaged; a missing one is empty. */
async function read(path: string): Promise<Book | undefined> {
  try {
    const { size } = await stat(path)
    if (size > MOST_FILE_BYTES) return undefined
    const book: unknown = JSON.parse(await readFile(path, 'utf8'))
    return bookForm.Check(book) ? book : undefined
  } catch (cause) {
    return isErrno(cause, 'ENOENT') ? { version: 1, peers: [] } : undefined
  }
}
