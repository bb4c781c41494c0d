/** Accounts and channels as the contracts keep them, in memory: deposits, closes, time. */
import {
  BASE_PER_UNIT,
  channelId,
  type Deployment,
  fromHex,
  type Hex,
  MainframeError,
  mainframeTokenAbi,
  paymentChannelsAbi,
  toHex,
} from '@mainframe/protocol'
import { AbiCoder, Interface } from 'ethers'
import type { Account } from '../../../sdk/src/chain/account.ts'
import type { Chain, ChannelSlot } from '../../../sdk/src/chain/chain.ts'
import { systemClock } from '../../../sdk/src/clock.ts'
import { Budget } from '../../../sdk/src/payments/budget.ts'
import type { ChannelContext } from '../../../sdk/src/payments/channels.ts'
import { memoryStore } from '../../../sdk/src/store/memory-store.ts'
import { deployment } from './honest-indexer.ts'

const token = new Interface(mainframeTokenAbi)
const channels = new Interface(paymentChannelsAbi)

export interface FakeMoney {
  context: ChannelContext
  deployment: Deployment
  /** MFT in the wallet, base units. */
  mft: bigint
  /** MFT in the vault. */
  vault: bigint
  slots: Map<Hex, ChannelSlot>
  /** Transactions so far, by what they did. */
  transactions: { method: string; amount: bigint }[]
  nowSeconds: number
  /** Thrown by the next transaction. */
  failure: MainframeError | undefined
}

export function fakeMoney(mft = 100n * 10n ** 18n): FakeMoney {
  const payer: Hex = `0x${'a1'.repeat(20)}`
  const money = { mft, vault: 0n, slots: new Map(), transactions: [] } as unknown as FakeMoney
  money.nowSeconds = 1_000_000
  money.deployment = deployment
  const chain = {
    deployment,
    noticeBounds: async () => ({ minimum: 3_600, maximum: 2_592_000 }),
    slots: async (ids: Hex[]) =>
      ids.map((id) => money.slots.get(id) ?? { deposit: 0n, claimed: 0n, closesAt: 0, epoch: 0 }),
    funds: async () => ({ wallet: money.mft, vault: money.vault }),
    vaults: async (tokens: Hex[]) => tokens.map(() => money.vault),
    latest: async () => ({ number: 1, hash: '0x', time: money.nowSeconds }),
  } as unknown as Chain
  const account = {
    address: payer,
    send: async ({ to, data }: { to: Hex; data: string }) => {
      if (money.failure) {
        const { failure } = money
        money.failure = undefined
        throw failure
      }
      if (to === deployment.token) transferAndCall(money, payer, data)
      else callChannels(money, payer, data)
    },
  } as unknown as Account
  const signerSecretKey = new Uint8Array(32).fill(5)
  const store = memoryStore()
  const medium = { deployment, token: deployment.token, leastBase: BASE_PER_UNIT }
  const budget = new Budget({ store, clock: systemClock, ...medium })
  money.context = { chain, account, store, signerSecretKey, budget }
  return money
}

function transferAndCall(money: FakeMoney, payer: Hex, data: string): void {
  const [to, amount, opening] = token.decodeFunctionData(
    'transferAndCall(address,uint256,bytes)',
    data,
  )
  if (String(to).toLowerCase() !== deployment.channels || amount > money.mft) {
    throw new MainframeError('CHAIN_REJECTED', 'reverted')
  }
  const coder = AbiCoder.defaultAbiCoder()
  const [payee, signer, notice] = coder.decode(['address', 'address', 'uint32'], opening)
  const id = idOf(payer, String(payee), String(signer), Number(notice))
  const slot = money.slots.get(id) ?? { deposit: 0n, claimed: 0n, closesAt: 0, epoch: 0 }
  const epoch = slot.deposit === 0n ? slot.epoch + 1 : slot.epoch
  money.slots.set(id, { ...slot, epoch, deposit: slot.deposit + (amount as bigint) })
  money.mft -= amount as bigint
  money.transactions.push({ method: 'deposit', amount: amount as bigint })
}

function callChannels(money: FakeMoney, payer: Hex, data: string): void {
  const call = channels.parseTransaction({ data })
  if (call?.name === 'withdraw') {
    money.transactions.push({ method: 'withdraw', amount: call.args[2] })
    money.vault -= call.args[2]
    money.mft += call.args[2]
    return
  }
  const terms = call?.args[0] as { payee: string; signer: string; notice: bigint }
  const id = idOf(payer, terms.payee, terms.signer, Number(terms.notice))
  const slot = money.slots.get(id)
  if (!call || !slot) throw new MainframeError('CHAIN_REJECTED', 'reverted')
  money.transactions.push({ method: call.name, amount: 0n })
  if (call.name === 'requestClose') {
    money.slots.set(id, { ...slot, closesAt: money.nowSeconds + Number(terms.notice) })
  } else if (call.name === 'finalizeTo') {
    money.mft += slot.deposit - slot.claimed
    money.slots.set(id, { deposit: 0n, claimed: 0n, closesAt: 0, epoch: slot.epoch })
  } else if (call.name === 'closeWithRelease') {
    money.vault += slot.deposit - (call.args[1] as bigint)
    money.slots.set(id, { deposit: 0n, claimed: 0n, closesAt: 0, epoch: slot.epoch })
  }
}

function idOf(payer: Hex, payee: string, signer: string, noticeSeconds: number): Hex {
  const bytes = (account: string) => fromHex(account.toLowerCase(), 20)
  const parties = { payer: bytes(payer), payee: bytes(payee), signer: bytes(signer) }
  return toHex(channelId({ ...parties, token: bytes(deployment.token), noticeSeconds }))
}
