import type { HardhatEthersSigner } from '@nomicfoundation/hardhat-ethers/types'
import { network } from 'hardhat'
import mainframeModule from '../../../deploy/modules/mainframe.ts'
import type {
  MainframeToken,
  PaymentChannels,
  PriceBoard,
  ServiceRegistry,
} from '../../../types/typechain/index.ts'

/** One development chain per test file: its plugins, and the helpers that move its time. */
export const { ethers, networkHelpers, ignition, provider } = await network.create()

export const MFT = 10n ** 18n
export const HOUR = 3_600
export const DAY = 24 * HOUR
/** What every actor holds in MFT at first. */
export const FUNDS = 1_000_000n * MFT
export const ZERO = '0x0000000000000000000000000000000000000000'

/** What the module is given in tests. */
export const parameters = {
  minimumStake: 1_000n * MFT,
  unbondingPeriodSeconds: DAY,
  priceDelaySeconds: HOUR,
}

export type Account = HardhatEthersSigner

export interface Contracts {
  token: MainframeToken
  registry: ServiceRegistry
  board: PriceBoard
  channels: PaymentChannels
  /** Deploys, and holds the whole supply at first. */
  treasury: Account
  alice: Account
  bob: Account
  carol: Account
  mallory: Account
}

/**
 * Deploys the four contracts by the very module that deploys everywhere else, and gives everybody but
 * the treasury `FUNDS`.
 */
export async function deployed(): Promise<Contracts> {
  const [treasury, alice, bob, carol, mallory] = (await ethers.getSigners()) as [
    Account,
    Account,
    Account,
    Account,
    Account,
  ]
  const contracts = await ignition.deploy(mainframeModule, {
    parameters: { Mainframe: { ...parameters, treasury: treasury.address } },
  })
  const token = contracts.token as unknown as MainframeToken
  for (const { address } of [alice, bob, carol, mallory]) await token.transfer(address, FUNDS)
  return {
    token,
    registry: contracts.registry as unknown as ServiceRegistry,
    board: contracts.board as unknown as PriceBoard,
    channels: contracts.channels as unknown as PaymentChannels,
    treasury,
    alice,
    bob,
    carol,
    mallory,
  }
}

/** Deploys a mock of test/contracts/mocks. */
export async function mock<T>(name: string, ...args: unknown[]): Promise<T> {
  return (await ethers.deployContract(name, args)) as unknown as T
}
