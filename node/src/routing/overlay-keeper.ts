/** Keeps the relay's view of the network current with the directory, and with its epochs. */
import { networkLuminosity, type RelayPrices, toHex } from '@mainframe/protocol'
import type { Directory, EpochCounts, RelayEntry } from '../chain/directory.ts'
import { createView, type OverlayView } from './overlay.ts'

export interface OverlayKeeperOptions {
  directory: Directory
  nodeKey: Uint8Array
  /** The luminosity changes no more often than this. */
  epochSeconds: number
  onChange(view: OverlayView<RelayEntry>): void
}

/** How long links for the value before are kept, where an epoch is not shorter. */
const LONGEST_CHANGE_MS = 86_400_000

export class OverlayKeeper {
  readonly #options: OverlayKeeperOptions
  readonly #peerKey: string
  #unsubscribe: (() => void) | undefined
  #settling: NodeJS.Timeout | undefined
  /** The epoch whose luminosity it is. */
  #epoch: EpochCounts | undefined
  #luminosity = 0
  /** The value of the epoch before, as long as packets under it may need its links. */
  #previous: number | undefined
  #view: OverlayView<RelayEntry> | undefined

  constructor(options: OverlayKeeperOptions) {
    this.#options = options
    this.#peerKey = toHex(options.nodeKey)
  }

  /** This relay as the chain has it; `undefined` before its registration is confirmed. */
  get self(): RelayEntry | undefined {
    return this.#options.directory.byPeerKey(this.#peerKey)
  }

  /** This relay's own prices in force. */
  get prices(): RelayPrices | undefined {
    return this.self?.prices
  }

  get view(): OverlayView<RelayEntry> | undefined {
    return this.#view
  }

  start(): void {
    this.#unsubscribe = this.#options.directory.subscribe(() => this.#update())
    this.#update()
  }

  stop(): void {
    this.#unsubscribe?.()
    clearTimeout(this.#settling)
  }

  #update(): void {
    const { epoch } = this.#options.directory
    if (epoch && epoch !== this.#epoch) this.#beginEpoch(epoch)
    this.#rebuild()
  }

  #beginEpoch(epoch: EpochCounts): void {
    this.#epoch = epoch
    this.#previous = this.#view && this.#luminosity
    this.#luminosity = networkLuminosity(epoch.relays, epoch.users)
    const keepMs = Math.min(1_000 * this.#options.epochSeconds, LONGEST_CHANGE_MS)
    clearTimeout(this.#settling)
    this.#settling = setTimeout(() => this.#settle(), keepMs)
    this.#settling.unref()
  }

  #settle(): void {
    this.#previous = undefined
    this.#rebuild()
  }

  #rebuild(): void {
    const { self } = this
    const { directory, onChange } = this.#options
    if (!self) return
    // who wants links by the lower value has all that the higher one wants
    const links = Math.min(this.#luminosity, this.#previous ?? this.#luminosity)
    this.#view = createView(self.address, this.#luminosity, directory.relays.values(), links)
    onChange(this.#view)
  }
}
