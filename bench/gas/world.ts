/** The state in which every operation is measured: contracts, people and money, all from fixed keys. */
import {
  channelId,
  domainSeparator,
  fromHex,
  releaseDigest,
  signDigest,
  toHex,
  voucherDigest,
} from '@mainframe/protocol'
import type { NetworkConnection } from 'hardhat/types/network'
import mainframeModule from '../../deploy/modules/mainframe.ts'
import type {
  MainframeToken,
  PaymentChannels,
  PriceBoard,
  ServiceRegistry,
} from '../../types/typechain/index.ts'

export const COIN = '0x0000000000000000000000000000000000000000'
export const NOTICE_SECONDS = 86_400
const MFT = 10n ** 18n
const FUNDS = 1_000_000n * MFT
/** Deposit of every channel that is open before the measuring begins. */
export const DEPOSIT = 100n * MFT
/** What was claimed of each of them. */
export const CLAIMED = 10n * MFT
/** The most rows that a measured batch has. */
const PAYERS = 50

/** Somebody with a fixed key and ether for gas. */
export type Person = Awaited<ReturnType<typeof createPerson>>

export type World = Awaited<ReturnType<typeof createWorld>>

async function createPerson({ ethers, networkHelpers }: NetworkConnection, name: string) {
  const secretKey = ethers.id(`mainframe gas ${name}`)
  const wallet = new ethers.Wallet(secretKey, ethers.provider)
  await networkHelpers.setBalance(wallet.address, 1_000n * MFT)
  return { wallet, address: wallet.address, secretKey: fromHex(secretKey as `0x${string}`) }
}

async function deploy({ ignition }: NetworkConnection, treasury: string) {
  const contracts = await ignition.deploy(mainframeModule, {
    parameters: { Mainframe: { treasury } },
  })
  return {
    token: contracts.token as unknown as MainframeToken,
    registry: contracts.registry as unknown as ServiceRegistry,
    board: contracts.board as unknown as PriceBoard,
    channels: contracts.channels as unknown as PaymentChannels,
  }
}

/**
 * Everything has been used before, so that what is measured is the repeated operation: all hold MFT, the
 * payee and all payers have a vault, the contract holds MFT and the coin, and each of fifty payers has a
 * channel to the payee of which part is claimed.
 */
export async function createWorld(connection: NetworkConnection) {
  const { ethers } = connection
  const treasury = await createPerson(connection, 'treasury')
  const contracts = await deploy(connection, treasury.address)
  const { token, channels } = contracts
  const mft = await token.getAddress()
  const channelsAddress = await channels.getAddress()
  const payee = await createPerson(connection, 'payee')
  const payers: Person[] = []
  for (let i = 0; i < PAYERS; i++) payers.push(await createPerson(connection, `payer ${i}`))

  const { chainId } = await ethers.provider.getNetwork()
  const separator = domainSeparator({ chainId, contract: fromHex(hex(channelsAddress)) })
  const termsOf = (payer: Person, tokenAddress = mft) => ({
    payee: payee.address,
    token: tokenAddress,
    signer: payer.address,
    notice: NOTICE_SECONDS,
  })
  const idOf = (payer: Person, tokenAddress = mft) =>
    channelId({
      payer: fromHex(hex(payer.address)),
      payee: fromHex(hex(payee.address)),
      token: fromHex(hex(tokenAddress)),
      signer: fromHex(hex(payer.address)),
      noticeSeconds: NOTICE_SECONDS,
    })
  const row = (payer: Person, amount: bigint) => {
    const digest = voucherDigest(separator, { channelId: idOf(payer), epoch: 1, amount })
    const { r, vs } = split(signDigest(digest, payer.secretKey))
    return { payer: payer.address, signer: payer.address, amount, r, vs }
  }
  const release = (payer: Person, finalAmount: bigint) =>
    split(
      signDigest(
        releaseDigest(separator, { channelId: idOf(payer), epoch: 1, finalAmount }),
        payee.secretKey,
      ),
    )

  const people = [payee, ...payers]
  for (const { wallet, address } of people) {
    await token.connect(treasury.wallet).transfer(address, FUNDS)
    await token.connect(wallet).approve(channels, ethers.MaxUint256)
    await channels.connect(wallet).deposit(mft, DEPOSIT)
  }
  await channels.connect(payee.wallet).deposit(COIN, MFT, { value: MFT })
  for (const payer of payers) {
    await channels.connect(payer.wallet).open(termsOf(payer), DEPOSIT, 0)
  }
  const rows = payers.map((payer) => row(payer, CLAIMED))
  await channels.claim(payee.address, mft, NOTICE_SECONDS, rows)
  return { connection, ...contracts, mft, treasury, payee, payers, termsOf, row, release }
}

const hex = (text: string) => text.toLowerCase() as `0x${string}`

function split(signature: Uint8Array) {
  return { r: toHex(signature.subarray(0, 32)), vs: toHex(signature.subarray(32)) }
}
