/** Gas of whole transactions: intrinsic gas, calldata and refunds included. */
import { network } from 'hardhat'
import { OPERATIONS, type Operation, type OperationName } from './operations.ts'
import { createWorld } from './world.ts'

export type GasTable = Record<OperationName, number>

/** Measures every operation, each in the same state, on a chain of its own. */
export async function measureGas(): Promise<GasTable> {
  const connection = await network.create({ override: { hardfork: 'cancun' } })
  const world = await createWorld(connection)
  const prepared = await connection.networkHelpers.takeSnapshot()
  const table: Partial<GasTable> = {}
  for (const [name, operation] of Object.entries(OPERATIONS) as [OperationName, Operation][]) {
    const send = await operation(world)
    const receipt = await (await send()).wait()
    table[name] = Number(receipt?.gasUsed)
    await prepared.restore()
  }
  await connection.close()
  return table as GasTable
}
