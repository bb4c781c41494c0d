import { expect } from 'chai'
import { deployed, ethers, networkHelpers, ZERO } from '../support/chain.ts'
import { continuityWord, hashRecord, type RecordInput } from '../support/continuity.ts'
import { key, registerNode } from '../support/nodes.ts'

const { loadFixture } = networkHelpers

/** Alice operates a node that Bob manages and that pays to Carol. */
async function registered() {
  const contracts = await deployed()
  return { ...contracts, ...(await registerNode(contracts)) }
}

type World = Awaited<ReturnType<typeof registered>>

const keptOf = (record: RecordInput) => ({
  payee: record.payee,
  sealKey: record.sealKey,
  contentHash: hashRecord(record).contentHash,
})

/** Event and state after a change of the record. */
async function expectRecord(
  { registry, nodeId }: World,
  transaction: Promise<unknown>,
  record: RecordInput,
) {
  await transaction
  const continuity = await continuityWord(registry)
  await expect(transaction)
    .to.emit(registry, 'Updated')
    .withArgs(nodeId, Object.values(record), continuity)
  const [state] = await registry.states([nodeId])
  expect(state?.recordHash).to.equal(hashRecord(record).recordHash)
}

describe('ServiceRegistry records', () => {
  it('lets nobody but the manager update or rotate', async () => {
    const { registry, alice, carol, mallory, nodeId, record } = await loadFixture(registered)
    for (const caller of [alice, carol, mallory]) {
      await expect(registry.connect(caller).update(nodeId, keptOf(record), '0x', '0x'))
        .to.be.revertedWithCustomError(registry, 'RegistryNotAuthorised')
        .withArgs(nodeId, caller.address)
      await expect(registry.connect(caller).rotateSealKey(nodeId, record, key('new')))
        .to.be.revertedWithCustomError(registry, 'RegistryNotAuthorised')
        .withArgs(nodeId, caller.address)
    }
  })

  it('lets nobody but the operator name a manager or a payee', async () => {
    const { registry, bob, mallory, nodeKey, record } = await loadFixture(registered)
    for (const caller of [bob, mallory]) {
      const other = await registry.nodeIdOf(caller.address, nodeKey)
      await expect(registry.connect(caller).setManager(nodeKey, record, mallory.address))
        .to.be.revertedWithCustomError(registry, 'RegistryNotActive')
        .withArgs(other)
      await expect(registry.connect(caller).setPayee(nodeKey, record, mallory.address))
        .to.be.revertedWithCustomError(registry, 'RegistryNotActive')
        .withArgs(other)
    }
  })

  it('refuses parts of an older record', async () => {
    const { registry, alice, bob, nodeId, nodeKey, record } = await loadFixture(registered)
    const stale = keptOf(record)
    await registry.connect(bob).rotateSealKey(nodeId, record, key('new'))
    const current = hashRecord({ ...record, sealKey: key('new') }).recordHash
    await expect(registry.connect(bob).update(nodeId, stale, '0x', '0x'))
      .to.be.revertedWithCustomError(registry, 'RegistryNotAuthorised')
      .withArgs(nodeId, bob.address)
    await expect(registry.connect(bob).rotateSealKey(nodeId, record, key('newer')))
      .to.be.revertedWithCustomError(registry, 'RegistryStaleRecord')
      .withArgs(nodeId, hashRecord(record).recordHash, current)
    await expect(registry.connect(alice).setPayee(nodeKey, record, bob.address))
      .to.be.revertedWithCustomError(registry, 'RegistryStaleRecord')
      .withArgs(nodeId, hashRecord(record).recordHash, current)
  })

  it('refuses a record that was forged in any single field', async () => {
    const { registry, bob, mallory, nodeId, record } = await loadFixture(registered)
    const forgeries: Partial<RecordInput>[] = [
      { payee: mallory.address },
      { sealKey: key('other') },
      { multiaddrs: '0x00' },
      { metadata: '0x00' },
      { multiaddrs: record.metadata, metadata: record.multiaddrs },
    ]
    for (const forgery of forgeries) {
      const forged = { ...record, ...forgery }
      await expect(registry.connect(bob).rotateSealKey(nodeId, forged, key('new')))
        .to.be.revertedWithCustomError(registry, 'RegistryStaleRecord')
        .withArgs(nodeId, hashRecord(forged).recordHash, hashRecord(record).recordHash)
    }
  })

  it('keeps the bounds of a registration', async () => {
    const { registry, alice, bob, nodeId, nodeKey, record } = await loadFixture(registered)
    const long = `0x${'61'.repeat(513)}`
    const kept = keptOf(record)
    for (const [multiaddrs, metadata] of [[long, '0x'] as const, ['0x', long] as const]) {
      await expect(registry.connect(bob).update(nodeId, kept, multiaddrs, metadata))
        .to.be.revertedWithCustomError(registry, 'RegistryTooLong')
        .withArgs(513, 512)
    }
    await expect(
      registry.connect(bob).rotateSealKey(nodeId, record, ethers.ZeroHash),
    ).to.be.revertedWithCustomError(registry, 'RegistryZeroKey')
    await expect(
      registry.connect(alice).setManager(nodeKey, record, ZERO),
    ).to.be.revertedWithCustomError(registry, 'RegistryZeroAddress')
    await expect(
      registry.connect(alice).setPayee(nodeKey, record, ZERO),
    ).to.be.revertedWithCustomError(registry, 'RegistryZeroAddress')
  })

  it('changes nothing of an inactive node', async () => {
    const { registry, alice, bob, nodeId, nodeKey, record } = await loadFixture(registered)
    await registry.connect(alice).beginUnstake(nodeKey)
    await expect(registry.connect(bob).update(nodeId, keptOf(record), '0x', '0x'))
      .to.be.revertedWithCustomError(registry, 'RegistryNotAuthorised')
      .withArgs(nodeId, bob.address)
    for (const attempt of [
      registry.connect(bob).rotateSealKey(nodeId, record, key('new')),
      registry.connect(alice).setManager(nodeKey, record, bob.address),
      registry.connect(alice).setPayee(nodeKey, record, bob.address),
    ]) {
      await expect(attempt)
        .to.be.revertedWithCustomError(registry, 'RegistryNotActive')
        .withArgs(nodeId)
    }
  })

  it('updates addresses and metadata, and nothing else', async () => {
    const world = await loadFixture(registered)
    const { registry, bob, nodeId, record } = world
    const changed = { ...record, multiaddrs: '0x616263', metadata: '0x' }
    const update = registry
      .connect(bob)
      .update(nodeId, keptOf(record), changed.multiaddrs, changed.metadata)
    await expectRecord(world, update, changed)
  })

  it('rotates the seal key', async () => {
    const world = await loadFixture(registered)
    const { registry, bob, nodeId, record } = world
    const rotate = registry.connect(bob).rotateSealKey(nodeId, record, key('new'))
    await expectRecord(world, rotate, { ...record, sealKey: key('new') })
  })

  it('gives the node another manager, and the old one loses it', async () => {
    const world = await loadFixture(registered)
    const { registry, alice, bob, mallory, nodeId, nodeKey, record } = world
    const changed = { ...record, manager: mallory.address }
    await expectRecord(
      world,
      registry.connect(alice).setManager(nodeKey, record, mallory.address),
      changed,
    )
    await expect(registry.connect(bob).rotateSealKey(nodeId, changed, key('new')))
      .to.be.revertedWithCustomError(registry, 'RegistryNotAuthorised')
      .withArgs(nodeId, bob.address)
    await registry.connect(mallory).rotateSealKey(nodeId, changed, key('new'))
  })

  it('gives the node another payee', async () => {
    const world = await loadFixture(registered)
    const { registry, alice, bob, nodeKey, record } = world
    const changed = { ...record, payee: bob.address }
    await expectRecord(
      world,
      registry.connect(alice).setPayee(nodeKey, record, bob.address),
      changed,
    )
  })

  it('says who may speak for a node: manager and operator, each with his own proof', async () => {
    const { registry, alice, bob, carol, mallory, nodeId, nodeKey, record } =
      await loadFixture(registered)
    const { bodyHash } = hashRecord(record)
    expect(await registry.maySpeakFor(alice.address, nodeId, nodeKey)).to.equal(true)
    expect(await registry.maySpeakFor(bob.address, nodeId, bodyHash)).to.equal(true)
    for (const caller of [carol, mallory]) {
      expect(await registry.maySpeakFor(caller.address, nodeId, nodeKey)).to.equal(false)
      expect(await registry.maySpeakFor(caller.address, nodeId, bodyHash)).to.equal(false)
    }
    expect(await registry.maySpeakFor(alice.address, nodeId, bodyHash)).to.equal(false)
    expect(await registry.maySpeakFor(bob.address, nodeId, nodeKey)).to.equal(false)
    const stranger = await registry.nodeIdOf(mallory.address, nodeKey)
    expect(await registry.maySpeakFor(mallory.address, stranger, nodeKey)).to.equal(false)
    await registry.connect(alice).beginUnstake(nodeKey)
    expect(await registry.maySpeakFor(alice.address, nodeId, nodeKey)).to.equal(false)
    expect(await registry.maySpeakFor(bob.address, nodeId, bodyHash)).to.equal(false)
  })
})
