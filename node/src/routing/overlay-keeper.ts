/** Keeps the relay's view of the network current: with the directory, and once an epoch. */
import { networkLuminosity, type RelayPrices } from '@mainframe/protocol'
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

export class OverlayKeeper {
  readonly #options: OverlayKeeperOptions
  #unsubscribe: (() => void) | undefined
  #timer: NodeJS.Timeout | undefined
  #luminosity = 0
  #view: OverlayView<RelayEntry> | undefined

  constructor(options: OverlayKeeperOptions) {
    this.#options = options
  }

  /** This relay as the chain has it; `undefined` before its registration is confirmed. */
  get self(): RelayEntry | undefined {
    const { directory, nodeKey } = this.#options
    return directory.byNodeKey(nodeKey)
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
  }

  #beginEpoch(): void {
    const { directory, epochSeconds } = this.#options
    this.#luminosity = networkLuminosity(directory.relays.size, directory.users)
    this.#rebuild()
    const epochMs = epochSeconds * 1000
    const waitMs = Math.min(epochMs - (Date.now() % epochMs), LONGEST_TIMER_MS)
    this.#timer = setTimeout(() => this.#beginEpoch(), waitMs)
    this.#timer.unref()
  }

  #rebuild(): void {
    const { self } = this
    const { directory, onChange } = this.#options
    if (!self) return
    this.#view = createView(self.address, this.#luminosity, directory.relays.values())
    onChange(this.#view)
  }
}
