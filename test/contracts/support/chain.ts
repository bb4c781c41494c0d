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

/** Deploys the four contracts by the very module that deploys everywhere else. */
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
  return {
    token: contracts.token as unknown as MainframeToken,
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
