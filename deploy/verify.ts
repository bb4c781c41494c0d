/** `npm run deploy -- verify`: shows block explorers the sources of what is recorded. */
import { join } from 'node:path'
import { CONTRACT_ROLES, MainframeError } from '@mainframe/protocol'
import { HardhatError } from '@nomicfoundation/hardhat-errors'
import { verifyContract } from '@nomicfoundation/hardhat-verify/verify'
import type { Console } from './commands.ts'
import { CONTRACTS } from './contracts.ts'
import type { VerifyCommand } from './options.ts'
import { assertRecord, readChainRecord } from './records.ts'
import { openTarget } from './target.ts'

/**
 * Verifies every recorded contract with every explorer, and reports each. Throws `CONFIG_INVALID` where
 * nothing is recorded, `CHAIN_MISMATCH` when the record is not of this chain or these sources, and
 * `CHAIN_REJECTED` in the end when an explorer refused something.
 */
export async function runVerify(
  command: VerifyCommand,
  console: Console,
  configFolder?: string,
): Promise<void> {
  const target = await openTarget({ ...command, ...(configFolder && { configFolder }) })
  const { hardhat, network, folder, file } = target
  try {
    const record = await readChainRecord(join(folder, 'addresses.json'), network.chainId)
    if (record === undefined) {
      const message = `${file} records nothing of ${network.name}; deploy to it first`
      throw new MainframeError('CONFIG_INVALID', message)
    }
    await assertRecord(record, target)
    const refused: string[] = []
    for (const role of CONTRACT_ROLES) {
      const name = CONTRACTS[role]
      const { address, arguments: constructorArgs } = record[role]
      const contract = `contracts/${name}.sol:${name}`
      for (const provider of command.explorers) {
        const args = { address, constructorArgs: [...constructorArgs], contract, provider }
        await verifyContract(args, hardhat).catch((error: unknown) => {
          if (!HardhatError.isHardhatError(error)) throw error
          console.tell(`${name} on ${provider}: ${error.formattedMessage.trim()}`)
          refused.push(`${name} on ${provider}`)
        })
      }
    }
    if (refused.length === 0) return
    const message = `Not verified: ${refused.join(', ')}; the reasons are above, and it can be tried again at any time`
    throw new MainframeError('CHAIN_REJECTED', message)
  } finally {
    await target.close()
  }
}
