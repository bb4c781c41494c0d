/** Gas of whole transactions: intrinsic gas, calldata and refunds included. */
import type { NetworkConnection } from 'hardhat/types/network'
import { OPERATIONS, type Operation, type OperationName } from './operations.ts'
import { createWorld } from './world.ts'

export type GasTable = Record<OperationName, number>

/** Measures every operation, each in the same state, on a chain of its own. */
export async function measureGas(connection: NetworkConnection): Promise<GasTable> {
  const world = await createWorld(connection)
  const prepared = await connection.networkHelpers.takeSnapshot()
  const table: Partial<GasTable> = {}
  for (const [name, operation] of Object.entries(OPERATIONS) as [OperationName, Operation][]) {
    const send = await operation(world)
    const receipt = await (await send()).wait()
    table[name] = Number(receipt?.gasUsed)
    await prepared.restore()
  }
  return table as GasTable
}
