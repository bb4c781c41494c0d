/** Every operation that is measured: what has to be there before, and the one transaction that counts. */
import type { ContractTransactionResponse } from 'ethers'
import { CLAIMED, COIN, DEPOSIT, NOTICE_SECONDS, type Person, type World } from './world.ts'

type Sent = Promise<ContractTransactionResponse>

/** Sends what has to happen first, and answers how to send what is measured. */
export type Operation = (world: World) => Promise<() => Sent>

const MFT = 10n ** 18n
const AMOUNT = 25n * MFT
const STAKE = 100_000n * MFT

/** The operations by the names under which `npm run gas -- --json` prints them, in that order. */
export const OPERATIONS = {
  openErc20: async ({ channels, payers, termsOf, mft }) => {
    const [payer] = two(payers)
    return () => channels.connect(payer.wallet).open(fresh(termsOf(payer, mft)), AMOUNT, 0)
  },
  openTransferAndCall: async (world) => {
    const [payer] = two(world.payers)
    return () => transferAndCall(world, payer, fresh(world.termsOf(payer)))
  },
  openNative: async ({ channels, payers, termsOf }) => {
    const [payer] = two(payers)
    const terms = termsOf(payer, COIN)
    return () => channels.connect(payer.wallet).open(terms, AMOUNT, 0, { value: AMOUNT })
  },
  openFromVault1: openFromVault(1),
  openFromVault10: openFromVault(10),
  topUpErc20: async ({ channels, payers, termsOf }) => {
    const [payer] = two(payers)
    return () => channels.connect(payer.wallet).open(termsOf(payer), AMOUNT, 0)
  },
  topUpTransferAndCall: async (world) => {
    const [payer] = two(world.payers)
    return () => transferAndCall(world, payer, world.termsOf(payer))
  },
  topUpNative: async ({ channels, payers, termsOf }) => {
    const [payer] = two(payers)
    const open = () =>
      channels.connect(payer.wallet).open(termsOf(payer, COIN), AMOUNT, 0, { value: AMOUNT })
    await open()
    return open
  },
  topUpVault: async ({ channels, payers, termsOf, mft }) => {
    const [payer] = two(payers)
    const { payee, signer } = termsOf(payer)
    const row = { payee, signer, amount: AMOUNT, expectedEpoch: 0 }
    return () => channels.connect(payer.wallet).openFromVault(mft, NOTICE_SECONDS, [row])
  },
  claim1: claim(1),
  claim10: claim(10),
  claim50: claim(50),
  claimTo1: claimTo(1),
  claimTo10: claimTo(10),
  closeByPayee1: closeByPayee(1),
  closeByPayee10: closeByPayee(10),
  closeByPayeeTo1: async (world) => {
    const rows = claimRows(world, 1)
    return () => closeByPayeeTo(world, rows)
  },
  closeByPayeeTo1Empty: async (world) => {
    const rows = claimRows(world, 1)
    await emptyVault(world, two(world.payers)[0])
    return () => closeByPayeeTo(world, rows)
  },
  closeWithRelease: async ({ channels, payers, termsOf, release }) => {
    const [payer] = two(payers)
    const { r, vs } = release(payer, AMOUNT)
    return () => channels.connect(payer.wallet).closeWithRelease(termsOf(payer), AMOUNT, r, vs)
  },
  deposit: async ({ channels, payers, mft }) => {
    const [payer] = two(payers)
    return () => channels.connect(payer.wallet).deposit(mft, AMOUNT)
  },
  requestClose: async (world) => () => requestClose(world),
  finalize: async (world) => {
    const payer = await readyToFinalize(world)
    return () => world.channels.connect(payer.wallet).finalize(world.termsOf(payer))
  },
  finalizeTo: async (world) => {
    const payer = await readyToFinalize(world)
    return () =>
      world.channels.connect(payer.wallet).finalizeTo(world.termsOf(payer), payer.address)
  },
  withdraw: async ({ channels, payee, mft }) => {
    return () => channels.connect(payee.wallet).withdraw(mft, payee.address, MFT)
  },
  register: async (world) => {
    await approveRegistry(world)
    await register(world, 'first node')
    return () => register(world, 'node')
  },
  update: async (world) => {
    const { registry, payee } = world
    const { nodeId, record } = await registered(world)
    const { contentHash } = await registry.hashesOf(record)
    const kept = { payee: record.payee, sealKey: record.sealKey, contentHash }
    const { multiaddrs, metadata } = recordOf(world, 'updated')
    return () => registry.connect(payee.wallet).update(nodeId, kept, multiaddrs, metadata)
  },
  setPricesNew: async (world) => {
    const { nodeId, proof } = await registered(world)
    await setPrices(world, nodeId, proof, 'hold/1', 5n)
    return () => setPrices(world, nodeId, proof, 'route/1', 5n)
  },
  setPricesUpdate: async (world) => {
    const { nodeId, proof } = await registered(world)
    await setPrices(world, nodeId, proof, 'route/1', 5n)
    return () => setPrices(world, nodeId, proof, 'route/1', 6n)
  },
  transfer: async ({ token, payers }) => {
    const [from, to] = two(payers)
    return () => token.connect(from.wallet).transfer(to.address, AMOUNT)
  },
} satisfies Record<string, Operation>

export type OperationName = keyof typeof OPERATIONS

/** Rows of two payers, who are there: the world has fifty. */
function two([first, second]: readonly Person[]): [Person, Person] {
  return [first as Person, second as Person]
}

/** Terms under which nothing was ever opened: the channel's slot is empty. */
function fresh<T extends { notice: number }>(terms: T): T {
  return { ...terms, notice: terms.notice + 1 }
}

function transferAndCall(
  { token, channels, connection: { ethers } }: World,
  { wallet }: Person,
  { payee, signer, notice }: { payee: string; signer: string; notice: number },
): Sent {
  const data = ethers.AbiCoder.defaultAbiCoder().encode(
    ['address', 'address', 'uint32'],
    [payee, signer, notice],
  )
  const send = token.connect(wallet)['transferAndCall(address,uint256,bytes)']
  return send(channels, AMOUNT, data)
}

function openFromVault(count: number): Operation {
  return async ({ channels, payers, mft }) => {
    const [payer] = two(payers)
    const amount = DEPOSIT / 20n
    const rows = payers
      .slice(0, count)
      .map(({ address }) => ({ payee: address, signer: payer.address, amount, expectedEpoch: 0 }))
    return () => channels.connect(payer.wallet).openFromVault(mft, NOTICE_SECONDS, rows)
  }
}

function claimRows({ payers, row }: World, count: number) {
  return payers.slice(0, count).map((payer) => row(payer, 2n * CLAIMED))
}

function claim(count: number): Operation {
  return async (world) => {
    const { channels, treasury, payee, mft } = world
    const rows = claimRows(world, count)
    // by somebody else, as a watchtower does
    return () => channels.connect(treasury.wallet).claim(payee.address, mft, NOTICE_SECONDS, rows)
  }
}

function claimTo(count: number): Operation {
  return async (world) => {
    const { channels, payee, mft } = world
    const rows = claimRows(world, count)
    return () => channels.connect(payee.wallet).claimTo(mft, NOTICE_SECONDS, rows, payee.address)
  }
}

function closeByPayee(count: number): Operation {
  return async (world) => {
    const { channels, payee, mft } = world
    const rows = claimRows(world, count)
    return () => channels.connect(payee.wallet).closeByPayee(mft, NOTICE_SECONDS, rows)
  }
}

function closeByPayeeTo({ channels, payee, mft }: World, rows: ReturnType<typeof claimRows>): Sent {
  return channels.connect(payee.wallet).closeByPayeeTo(mft, NOTICE_SECONDS, rows, payee.address)
}

async function emptyVault({ channels, mft }: World, { wallet, address }: Person): Promise<void> {
  const [balance] = await channels.vaults([mft], address)
  await channels.connect(wallet).withdraw(mft, address, balance ?? 0n)
}

function requestClose({ channels, payers, termsOf }: World): Sent {
  const [payer] = two(payers)
  return channels.connect(payer.wallet).requestClose(termsOf(payer))
}

async function readyToFinalize(world: World): Promise<Person> {
  await requestClose(world)
  await world.connection.networkHelpers.time.increase(NOTICE_SECONDS)
  return two(world.payers)[0]
}

/** 60 bytes of addresses and 100 of metadata. */
function recordOf({ payee, connection: { ethers } }: World, name: string) {
  const fill = (text: string, length: number) =>
    ethers.hexlify(ethers.toUtf8Bytes(text.padEnd(length, '.')))
  return {
    manager: payee.address,
    payee: payee.address,
    sealKey: ethers.id('seal key'),
    multiaddrs: fill('/ip4/192.0.2.1/tcp/4001\n/dns4/relay.example.org/tcp/4001', 60),
    metadata: fill(`{"name":"${name}"}`, 100),
  }
}

async function approveRegistry({ token, registry, payee, connection: { ethers } }: World) {
  await token.connect(payee.wallet).approve(registry, ethers.MaxUint256)
}

function register(world: World, nodeKeyName: string): Sent {
  const { registry, payee, connection } = world
  const { id, concat } = connection.ethers
  const signature = concat([id('signature, first half'), id('signature, second half')])
  const record = recordOf(world, 'first')
  return registry.connect(payee.wallet).register(id(nodeKeyName), record, STAKE, signature)
}

async function registered(world: World) {
  const { registry, payee, connection } = world
  await approveRegistry(world)
  await register(world, 'node')
  const record = recordOf(world, 'first')
  const nodeId = await registry.nodeIdOf(payee.address, connection.ethers.id('node'))
  const { bodyHash } = await registry.hashesOf(record)
  return { nodeId, record, proof: bodyHash }
}

function setPrices(
  { board, payee, mft, connection: { ethers } }: World,
  nodeId: string,
  proof: string,
  service: string,
  price: bigint,
): Sent {
  const row = {
    service: ethers.id(service),
    token: mft,
    price: price * 10n ** 9n,
    unit: 0,
    active: true,
  }
  return board.connect(payee.wallet).setPrices(nodeId, proof, [row])
}
