/** Alice and Bob: a wallet, an inbox and a client of the SDK each. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createKeyPair, type Hex, type KeyPair, secretKeyAccount, toHex } from '@mainframe/protocol'
import { fileStore, Mainframe } from '@mainframe/sdk'
import { fundAccounts } from './accounts.ts'
import type { Chain } from './chain.ts'
import type { Indexer } from './indexer.ts'

const BUDGET_BASE = 10n * 10n ** 18n

export interface Person {
  name: string
  account: Hex
  accountSecret: Hex
  inbox: KeyPair
  storeFolder: string
}

/** What a client connects to. */
export interface World {
  chain: Chain
  indexer: Indexer
}

/** Creates wallets and inboxes, and gives them MFT to spend. */
export async function createPeople(
  chain: Chain,
  folder: string,
  names: readonly string[],
): Promise<Person[]> {
  const people = await Promise.all(names.map((name) => createPerson(name, folder)))
  await fundAccounts(
    chain,
    people.map(({ account }) => ({ account, mft: BUDGET_BASE })),
  )
  return people
}

async function createPerson(name: string, folder: string): Promise<Person> {
  const storeFolder = join(folder, name.toLowerCase())
  await mkdir(storeFolder, { recursive: true, mode: 0o700 })
  const secret = crypto.getRandomValues(new Uint8Array(32))
  return {
    name,
    account: toHex(secretKeyAccount(secret)),
    accountSecret: toHex(secret),
    inbox: createKeyPair(),
    storeFolder,
  }
}

/** Opens a person's client; the same store again is the same person after a time off line. */
export async function openClient(
  { accountSecret, inbox, storeFolder }: Person,
  { chain, indexer }: World,
): Promise<Mainframe> {
  return await Mainframe.open({
    network: { rpcUrl: chain.rpcUrl, deployment: chain.deployment, indexers: [indexer.url] },
    account: accountSecret,
    store: fileStore(storeFolder),
    inboxSecretKey: inbox.secretKey,
  })
}
