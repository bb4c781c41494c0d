/** A running network in a test, with chain, indexer and relays as processes of their own (docs/testing.md). */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Hex, secretKeyAccount, toHex } from '@mainframe/protocol'
import { Mainframe, type MainframeOptions, memoryStore, type NetworkOptions } from '@mainframe/sdk'
import { fundAccounts } from './accounts.ts'
import { bringUp } from './bring-up.ts'
import type { RelayProcess } from './relays.ts'
import { Shutdown } from './shutdown.ts'

export interface TestNetworkOptions {
  /** Relays to start: 5 unless given, an entry relay and three hops among them; each takes about 100 MiB. */
  relays?: number
  /** Whether relays listen on WebSocket too, so that clients in browsers reach them; false unless given. */
  webSocket?: boolean
}

export interface TestNetwork {
  /** What `Mainframe.open` takes. */
  network: NetworkOptions
  /** The processes; `service.kill()` is what a power cut does to one. */
  relays: readonly RelayProcess[]
  /** A new account with coin for gas and so much MFT, 10 unless given; its private key in 0x-hex. */
  createAccount(mftBase?: bigint): Promise<Hex>
  /** Opens a client with an account of its own, in memory unless `store` is given. */
  open(options?: Partial<MainframeOptions>): Promise<Mainframe>
  /** Closes the clients and ends every process; nothing is left on the disk. */
  stop(): Promise<void>
}

const MFT = 10n ** 18n

/**
 * Resolves when every relay is linked and listed, after some seconds; the contracts are compiled first
 * where they are not. Throws what stands in the way, and leaves nothing running then.
 */
export async function startTestNetwork({
  relays: count = 5,
  webSocket,
}: TestNetworkOptions = {}): Promise<TestNetwork> {
  const folder = await mkdtemp(join(tmpdir(), 'mainframe-test-'))
  const shutdown = new Shutdown()
  shutdown.add(() => rm(folder, { recursive: true }))
  try {
    const { chain, indexer, relays } = await bringUp({ folder, shutdown, count, webSocket })
    const { rpcUrl, deployment } = chain
    const network = { rpcUrl, deployment, indexers: [indexer.url] }
    const createAccount = async (mft = 10n * MFT) => {
      const secret = crypto.getRandomValues(new Uint8Array(32))
      await fundAccounts(chain, [{ account: toHex(secretKeyAccount(secret)), mft }])
      return toHex(secret)
    }
    const open = async (options: Partial<MainframeOptions> = {}) => {
      const account = options.account ?? (await createAccount())
      const client = await Mainframe.open({ network, store: memoryStore(), ...options, account })
      shutdown.add(() => client.close())
      return client
    }
    return { network, relays, createAccount, open, stop: () => shutdown.stop() }
  } catch (error) {
    await shutdown.stop()
    throw error
  }
}
