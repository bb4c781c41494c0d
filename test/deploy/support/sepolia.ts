/** A chain that passes for Sepolia, and what a person needs to deploy to it. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Wallet } from 'ethers'
import { startNode, type TestNode } from './nodes.ts'
import { createPlace, type Place, withEnvironment } from './place.ts'

export const SEPOLIA = 11_155_111
export const TREASURY = '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed'
const ETHER = 10n ** 18n

export interface Sepolia {
  place: Place
  /** Holds the parameters that {@link configure} writes. */
  configFolder: string
  /** Its key is in the environment, and one ether on its account. */
  deployer: { address: string; privateKey: string }
  configure(fields: object): Promise<void>
  give(account: string, wei: bigint): Promise<void>
  leave(): Promise<void>
}

/** Blocks come in their own time, as there: a transaction waits, and is confirmed later. */
export function startSepoliaNode(): Promise<TestNode> {
  return startNode('anvil', { chainId: SEPOLIA, blockSeconds: 1 })
}

export async function enterSepolia(node: TestNode): Promise<Sepolia> {
  const deployer = Wallet.createRandom()
  const place = await createPlace()
  const configFolder = join(place.folder, 'config')
  await mkdir(configFolder)
  const restore = withEnvironment({
    CI: 'true', // keeps Hardhat from opening the keystore of whoever runs this
    SEPOLIA_RPC_URL: node.rpcUrl,
    SEPOLIA_DEPLOYER_KEY: deployer.privateKey,
  })
  const sepolia: Sepolia = {
    place,
    configFolder,
    deployer,
    configure: (fields) =>
      writeFile(
        join(configFolder, 'sepolia.json'),
        JSON.stringify({
          chainId: SEPOLIA,
          confirmations: 2,
          minimumStakeMft: '100000',
          unbondingPeriodSeconds: 1_209_600,
          priceDelaySeconds: 3_600,
          minimumNoticeSeconds: 3_600,
          maximumNoticeSeconds: 2_592_000,
          ...fields,
        }),
      ),
    give: async (account, wei) => {
      await node.ask('anvil_setBalance', account, `0x${wei.toString(16)}`)
    },
    leave: async () => {
      restore()
      await place.remove()
    },
  }
  await sepolia.configure({ treasury: TREASURY })
  await sepolia.give(deployer.address, ETHER)
  return sepolia
}
