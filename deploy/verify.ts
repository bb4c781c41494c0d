/** `npm run deploy -- verify`: shows block explorers the sources of what is recorded. */
import { join } from 'node:path'
import {
  CONTRACT_ROLES,
  type ContractRecord,
  type ContractRole,
  MainframeError,
} from '@mainframe/protocol'
import { HardhatError } from '@nomicfoundation/hardhat-errors'
import { verifyContract } from '@nomicfoundation/hardhat-verify/verify'
import type { Console } from './commands.ts'
import { CONTRACTS } from './contracts.ts'
import type { Explorer, VerifyCommand } from './options.ts'
import { assertRecord, readChainRecord } from './records.ts'
import { openTarget, type Target } from './target.ts'

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
  const { network, folder, file } = target
  try {
    const record = await readChainRecord(join(folder, 'addresses.json'), network.chainId)
    if (record === undefined) {
      const message = `${file} records nothing of ${network.name}; deploy to it first`
      throw new MainframeError('CONFIG_INVALID', message)
    }
    await assertRecord(record, target)
    const refused: string[] = []
    for (const role of CONTRACT_ROLES) {
      for (const explorer of command.explorers) {
        const what = `${CONTRACTS[role]} on ${explorer}`
        const reason = await verifyOne(target, { role, record: record[role], explorer })
        console.tell(`${what}: ${reason ?? 'verified'}`)
        if (reason !== undefined) refused.push(what)
      }
    }
    if (refused.length === 0) return
    const message = `Not verified: ${refused.join(', ')}; the reasons are above, and it can be tried again at any time`
    throw new MainframeError('CHAIN_REJECTED', message)
  } finally {
    await target.close()
  }
}

interface Submission {
  role: ContractRole
  record: ContractRecord
  explorer: Explorer
}

/** Why the explorer refuses the contract; undefined when it does not. */
async function verifyOne(
  { hardhat }: Target,
  { role, record, explorer }: Submission,
): Promise<string | undefined> {
  const name = CONTRACTS[role]
  const submission = {
    address: record.address,
    constructorArgs: [...record.arguments],
    contract: `contracts/${name}.sol:${name}`,
    provider: explorer,
  }
  try {
    await verifyContract(submission, hardhat)
    return undefined
  } catch (error) {
    if (HardhatError.isHardhatError(error)) return error.formattedMessage.trim()
    throw error
  }
}
