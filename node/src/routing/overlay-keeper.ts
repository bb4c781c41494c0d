/** Keeps the relay's view of the network current: with the directory, and once an epoch. */
import { networkLuminosity, type RelayPrices, toHex } from '@mainframe/protocol'
import type { Directory, RelayEntry } from '../chain/directory.ts'
import { createView, type OverlayView } from './overlay.ts'

export interface OverlayKeeperOptions {
  directory: Directory
  nodeKey: Uint8Array
  /** The luminosity changes at whole multiples of this since the Unix epoch. */
  epochSeconds: number
  onChange(view: OverlayView<RelayEntry>): void
}

/** setTimeout takes a signed 32-bit number of milliseconds. */
const LONGEST_TIMER_MS = 2 ** 31 - 1
/** How long links for the value before are kept, where an epoch is not shorter. */
const LONGEST_CHANGE_MS = 86_400_000

export class OverlayKeeper {
  readonly #options: OverlayKeeperOptions
  readonly #peerKey: string
  #unsubscribe: (() => void) | undefined
  #timer: NodeJS.Timeout | undefined
  #settling: NodeJS.Timeout | undefined
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
    this.#unsubscribe = this.#options.directory.subscribe(() => this.#rebuild())
    this.#beginEpoch()
  }

  stop(): void {
    this.#unsubscribe?.()
    clearTimeout(this.#timer)
    clearTimeout(this.#settling)
  }

  #beginEpoch(): void {
    const { epochSeconds } = this.#options
    const epochMs = epochSeconds * 1000
    this.#changeLuminosity(Math.min(epochMs, LONGEST_CHANGE_MS))
    const waitMs = Math.min(epochMs - (Date.now() % epochMs), LONGEST_TIMER_MS)
    this.#timer = setTimeout(() => this.#beginEpoch(), waitMs)
    this.#timer.unref()
  }

  #changeLuminosity(keepMs: number): void {
    const { directory } = this.#options
    this.#previous = this.#view && this.#luminosity
    this.#luminosity = networkLuminosity(directory.relays.size, directory.users)
    clearTimeout(this.#settling)
    this.#settling = setTimeout(() => this.#settle(), keepMs)
    this.#settling.unref()
    this.#rebuild()
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
