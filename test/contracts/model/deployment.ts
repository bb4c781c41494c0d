/** The contracts of the model test, on a chain of their own, and the state they begin in. */
import { AbiCoder, type Contract, type Interface, MaxUint256 } from 'ethers'
import { network } from 'hardhat'
import type { Facts } from './draft.ts'
import { type Scene, viewsOf } from './sights.ts'
import { accountOf, compacted, Digests, signerOf } from './signatures.ts'
import { moneyKey, type State } from './state.ts'
import { ACTORS, COIN, DAY, HOUR, idOf, places } from './universe.ts'

const { ethers, networkHelpers, provider } = await network.create()

export { networkHelpers, provider }

/** Where the script of Stage.sol stands. */
const SCRIPT = '0x00000000000000000000000000000000000c0de5'
const FEE_SINK = '0x0000000000000000000000000000000000000fee'
/** More of the coin and of the honest token than a channel can hold; of MFT there is not that much. */
const FUNDS = 2n ** 100n
const MFT_FUNDS = 10n ** 27n
/** What the actors let the channels take of each token at first. */
const ALLOWED = [MaxUint256, MaxUint256, MaxUint256, 2n * 10n ** 18n]
const FEE_FUNDS = 2n * 10n ** 29n

export interface Deployment extends Scene {
  digests: Digests
  /** Of the same contract on another chain. */
  elsewhere: Digests
  /** Who refuses the coin. */
  refuser: string
  /** By address, to read and write calls and logs. */
  interfaces: Readonly<Record<string, Interface>>
  /** Of Stage.sol. */
  stage: string
  performSelector: string
  /** Pays for the transactions, and is nobody in them. */
  sender: string
  initial: State
}

/** Deploys everything and funds the actors. */
export async function deploy(): Promise<Deployment> {
  const sender = (await ethers.provider.send('eth_accounts', []))[0] as string
  const mft = await ethers.deployContract('MainframeToken', [sender])
  const channels = await ethers.deployContract('PaymentChannels', [mft, HOUR, 30 * DAY])
  const honest = await ethers.deployContract('HonestToken')
  const fee = await ethers.deployContract('FeeToken')
  const refusing = await ethers.deployContract('Actor')
  await refusing.getFunction('refuse')()
  const address = await addressOf(channels)
  const refuser = await addressOf(refusing)
  const tokens = {
    mft: await addressOf(mft),
    honest: await addressOf(honest),
    fee: await addressOf(fee),
    coin: COIN,
  }
  const owners = [...ACTORS.map(accountOf), refuser, FEE_SINK]
  const { chainId } = await ethers.provider.getNetwork()
  const tokenSeparator = await mft.getFunction('DOMAIN_SEPARATOR')()
  const digests = new Digests({ chainId, address, tokenSeparator })
  const elsewhere = new Digests({ chainId: chainId + 1n, address, tokenSeparator })
  const facts: Facts = {
    address,
    mft: tokens.mft,
    coin: COIN,
    fees: { [tokens.fee]: { percent: 1n, to: FEE_SINK } },
    rejecting: new Set([refuser]),
    minimumNotice: HOUR,
    maximumNotice: 30 * DAY,
    idOf,
    voucherSigner: (id, epoch, amount, s) => signerOf(digests.voucher(id, epoch, amount), s),
    releaseSigner: (id, epoch, amount, s) => signerOf(digests.release(id, epoch, amount), s),
    permitSigner: (message, permit) => signerOf(digests.permit(message), compacted(permit)),
  }
  const code = await provider.request({ method: 'eth_getCode', params: [refuser, 'latest'] })
  const funds: [Contract, bigint][] = [
    [mft, MFT_FUNDS],
    [honest, FUNDS],
    [fee, FEE_FUNDS],
  ] as unknown as [Contract, bigint][]
  const initial = await fund({ address, code: String(code), funds, owners })
  const interfaces = {
    [address]: channels.interface,
    [tokens.mft]: mft.interface,
    [tokens.honest]: honest.interface,
    [tokens.fee]: fee.interface,
  }
  const scene: Scene = { facts, tokens, places: places(tokens), owners }
  const views = viewsOf(scene, channels.interface, mft.interface)
  const types = ['(address target, bytes data)[]', 'address[]']
  const script = AbiCoder.defaultAbiCoder().encode(types, [views, [address, ...owners]])
  await networkHelpers.setCode(SCRIPT, script)
  const stage = await ethers.deployContract('Stage', [SCRIPT])
  return {
    ...scene,
    digests,
    elsewhere,
    refuser,
    interfaces,
    stage: await addressOf(stage),
    performSelector: stage.interface.getFunction('perform')?.selector ?? '',
    sender,
    initial,
  }
}

const addressOf = async (contract: { getAddress(): Promise<string> }) =>
  (await contract.getAddress()).toLowerCase()

interface Funding {
  address: string
  /** Of the contract Actor: the actors have keys and code, as accounts under EIP-7702 do. */
  code: string
  funds: [Contract, bigint][]
  owners: string[]
}

async function fund({ address, code, funds, owners }: Funding): Promise<State> {
  const allowances: Record<string, bigint> = {}
  const wallets: Record<string, bigint> = {}
  for (const [index, name] of ACTORS.entries()) {
    const account = accountOf(name)
    await networkHelpers.setCode(account, code)
    await networkHelpers.setBalance(account, FUNDS)
    const actor = await ethers.getContractAt('Actor', account)
    for (const [token, amount] of funds) {
      await token.getFunction('transfer')(account, amount)
      const value = ALLOWED[index] ?? 0n
      const data = token.interface.encodeFunctionData('approve', [address, value])
      await actor.getFunction('execute')(token, 0n, data)
      allowances[moneyKey(await addressOf(token), account)] = value
    }
  }
  for (const owner of owners) {
    wallets[moneyKey(COIN, owner)] = await ethers.provider.getBalance(owner)
    for (const [token] of funds) {
      wallets[moneyKey(await addressOf(token), owner)] = await token.getFunction('balanceOf')(owner)
    }
  }
  return { channels: {}, vaults: {}, wallets, allowances, nonces: {} }
}
