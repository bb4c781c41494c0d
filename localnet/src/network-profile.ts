/** The profile by which clients find a local network (docs/sdk.md). */
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Chain } from './chain.ts'
import type { Indexer } from './indexer.ts'
import type { Shutdown } from './shutdown.ts'

const FILE = 'network.json'

/** Writes the profile down as long as the network runs; returns the file. */
export async function writeNetworkProfile(options: {
  chain: Chain
  indexer: Indexer
  folder: string
  shutdown: Shutdown
}): Promise<string> {
  const { chain, indexer, folder, shutdown } = options
  const { rpcUrl, deployment } = chain
  const profile = { version: 1, name: 'local', rpcUrl, deployment, indexers: [indexer.url] }
  const file = join(folder, FILE)
  shutdown.add(() => rm(file, { force: true }))
  await writeFile(file, `${JSON.stringify(profile, null, 2)}\n`)
  return file
}
