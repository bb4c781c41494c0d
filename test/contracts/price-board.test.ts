import { encodeSchedule } from '@mainframe/protocol'
import { expect } from 'chai'
import { deployed, ethers, HOUR, networkHelpers, parameters, ZERO } from './support/chain.ts'
import { continuityWord, hashRecord, logsOf, replay, storedHead } from './support/continuity.ts'
import { key, registerNode } from './support/nodes.ts'

const { loadFixture, time } = networkHelpers
const route = key('route/1')
const EMPTY = { price: 0n, next: 0n, nextFrom: 0n, unit: 0n, active: false }

/** Alice's node, whose manager is Bob. */
async function registered() {
  const contracts = await deployed()
  const node = await registerNode(contracts)
  const token = await contracts.token.getAddress()
  return { ...contracts, ...node, mft: token, proof: hashRecord(node.record).bodyHash }
}

type World = Awaited<ReturnType<typeof registered>>

const ask = (token: string, price: bigint, changes: object = {}) => ({
  service: route,
  token,
  price,
  unit: 0,
  active: true,
  ...changes,
})

/** Bob asks; answers the time of the change. */
async function set({ board, bob, nodeId, proof, mft }: World, price: bigint, changes = {}) {
  await board.connect(bob).setPrices(nodeId, proof, [ask(mft, price, changes)])
  return BigInt(await time.latest())
}

async function rowOf({ board, nodeId, mft }: World) {
  const [row] = await board.rows([nodeId], [route], [mft])
  const { price, next, nextFrom, unit, active } = row ?? EMPTY
  return { price, next, nextFrom, unit, active }
}

async function priceOf({ board, nodeId, mft }: World) {
  return (await board.current(nodeId, route, mft)).price
}

describe('PriceBoard.setPrices', () => {
  it('refuses a deployment with a delay over 30 days', async () => {
    const { board, registry } = await loadFixture(deployed)
    const factory = await ethers.getContractFactory('PriceBoard')
    const month = 30 * 86_400
    await expect(factory.deploy(registry, month + 1))
      .to.be.revertedWithCustomError(board, 'BoardBadDelay')
      .withArgs(month + 1, month)
    await factory.deploy(registry, month)
  })

  it('refuses strangers, wrong proofs, and nodes that are not active', async () => {
    const { board, registry, alice, bob, carol, mallory, nodeId, nodeKey, proof, mft } =
      await loadFixture(registered)
    const rows = [ask(mft, 5n)]
    const attempts = [
      [mallory, proof],
      [mallory, nodeKey],
      [carol, proof],
      [bob, nodeKey],
      [alice, proof],
    ] as const
    for (const [caller, given] of attempts) {
      await expect(board.connect(caller).setPrices(nodeId, given, rows))
        .to.be.revertedWithCustomError(board, 'BoardNotAuthorised')
        .withArgs(nodeId, caller.address)
    }
    await registry.connect(alice).beginUnstake(nodeKey)
    await expect(board.connect(bob).setPrices(nodeId, proof, rows))
      .to.be.revertedWithCustomError(board, 'BoardNotAuthorised')
      .withArgs(nodeId, bob.address)
  })

  it('refuses the manager who was replaced', async () => {
    const { board, registry, alice, bob, mallory, nodeId, nodeKey, record, proof, mft } =
      await loadFixture(registered)
    await registry.connect(alice).setManager(nodeKey, record, mallory.address)
    await expect(board.connect(bob).setPrices(nodeId, proof, [ask(mft, 5n)]))
      .to.be.revertedWithCustomError(board, 'BoardNotAuthorised')
      .withArgs(nodeId, bob.address)
    await board.connect(mallory).setPrices(nodeId, proof, [ask(mft, 5n)])
  })

  it('refuses no rows and more than 64, and takes 64', async () => {
    const { board, bob, nodeId, proof, mft } = await loadFixture(registered)
    const setMany = (count: number) => {
      const rows = Array.from({ length: count }, (_, i) => ask(mft, 5n, { service: key(`s${i}`) }))
      return board.connect(bob).setPrices(nodeId, proof, rows)
    }
    for (const count of [0, 65]) {
      await expect(setMany(count))
        .to.be.revertedWithCustomError(board, 'BoardBadRowCount')
        .withArgs(count, 64)
    }
    await setMany(64)
  })

  it('refuses a zero price, and a withdrawal of what is not there, and then changes nothing', async () => {
    const world = await loadFixture(registered)
    const { board, bob, nodeId, proof, mft } = world
    const manager = board.connect(bob)
    await expect(manager.setPrices(nodeId, proof, [ask(mft, 5n), ask(ZERO, 0n)]))
      .to.be.revertedWithCustomError(board, 'BoardZeroPrice')
      .withArgs(route, ZERO)
    await expect(manager.setPrices(nodeId, proof, [ask(mft, 5n), ask(ZERO, 1n, { active: false })]))
      .to.be.revertedWithCustomError(board, 'BoardNothingToWithdraw')
      .withArgs(route, ZERO)
    expect(await rowOf(world)).to.deep.equal(EMPTY)
  })

  it('does not sell at a new price before the delay has passed', async () => {
    const world = await loadFixture(registered)
    const at = await set(world, 10n, { unit: 1 })
    expect(await rowOf(world)).to.deep.equal({
      price: 0n,
      next: 10n,
      nextFrom: at + BigInt(HOUR),
      unit: 1n,
      active: true,
    })
    await time.increaseTo(at + BigInt(HOUR) - 1n)
    expect(await priceOf(world)).to.equal(0n)
    await time.increaseTo(at + BigInt(HOUR))
    expect(await priceOf(world)).to.equal(10n)
    expect((await world.board.current(world.nodeId, route, world.mft)).unit).to.equal(1n)
  })

  it('raises after the delay, cuts at once', async () => {
    const world = await loadFixture(registered)
    await set(world, 10n)
    await time.increase(HOUR)
    const raised = await set(world, 25n)
    expect(await rowOf(world)).to.deep.equal({
      price: 10n,
      next: 25n,
      nextFrom: raised + BigInt(HOUR),
      unit: 0n,
      active: true,
    })
    await time.increaseTo(raised + BigInt(HOUR) - 1n)
    expect(await priceOf(world)).to.equal(10n)
    await time.increase(1)
    expect(await priceOf(world)).to.equal(25n)
    const cut = await set(world, 7n)
    expect(await rowOf(world)).to.deep.equal({
      price: 7n,
      next: 7n,
      nextFrom: cut,
      unit: 0n,
      active: true,
    })
    expect(await priceOf(world)).to.equal(7n)
  })

  it('ends an announced rise by a cut', async () => {
    const world = await loadFixture(registered)
    await set(world, 10n)
    await time.increase(HOUR)
    await set(world, 25n)
    await set(world, 10n)
    await time.increase(2 * HOUR)
    expect(await priceOf(world)).to.equal(10n)
  })

  it('lowers an announced rise without a new delay, and delays a higher one anew', async () => {
    const world = await loadFixture(registered)
    await set(world, 10n)
    await time.increase(HOUR)
    const announced = await set(world, 25n)
    await time.increase(HOUR / 2)
    await set(world, 20n)
    expect(await rowOf(world)).to.include({ next: 20n, nextFrom: announced + BigInt(HOUR) })
    const again = await set(world, 26n)
    expect(await rowOf(world)).to.include({
      price: 10n,
      next: 26n,
      nextFrom: again + BigInt(HOUR),
    })
  })

  it('takes the price in force or announced again, without a new delay', async () => {
    const world = await loadFixture(registered)
    const first = await set(world, 10n)
    await set(world, 10n)
    expect(await rowOf(world)).to.include({ next: 10n, nextFrom: first + BigInt(HOUR) })
    await time.increase(HOUR)
    const announced = await set(world, 25n)
    await set(world, 25n)
    expect(await rowOf(world)).to.include({
      price: 10n,
      next: 25n,
      nextFrom: announced + BigInt(HOUR),
    })
    await time.increase(HOUR)
    const again = await set(world, 25n)
    expect(await rowOf(world)).to.include({ price: 25n, next: 25n, nextFrom: again })
  })

  it('takes a withdrawal at once, and makes the row wait when it comes back', async () => {
    const world = await loadFixture(registered)
    await set(world, 10n)
    await time.increase(HOUR)
    await set(world, 99n, { active: false, unit: 7 })
    expect(await rowOf(world)).to.deep.equal(EMPTY)
    expect(await priceOf(world)).to.equal(0n)
    const back = await set(world, 10n)
    expect(await rowOf(world)).to.include({ price: 0n, next: 10n, nextFrom: back + BigInt(HOUR) })
    expect(await priceOf(world)).to.equal(0n)
  })

  it('makes a changed unit wait like a new row', async () => {
    const world = await loadFixture(registered)
    await set(world, 10n)
    await time.increase(HOUR)
    const at = await set(world, 1n, { unit: 1 })
    expect(await rowOf(world)).to.deep.equal({
      price: 0n,
      next: 1n,
      nextFrom: at + BigInt(HOUR),
      unit: 1n,
      active: true,
    })
  })

  it('keeps the unit over a rise and a cut', async () => {
    const world = await loadFixture(registered)
    await set(world, 10n, { unit: 3 })
    await time.increase(HOUR)
    await set(world, 25n, { unit: 3 })
    expect(await rowOf(world)).to.include({ price: 10n, next: 25n, unit: 3n })
    await set(world, 7n, { unit: 3 })
    expect(await rowOf(world)).to.include({ price: 7n, next: 7n, unit: 3n })
  })

  it('takes the largest price', async () => {
    const world = await loadFixture(registered)
    const most = 2n ** 96n - 1n
    const at = await set(world, most, { unit: 255 })
    expect(await rowOf(world)).to.deep.equal({
      price: 0n,
      next: most,
      nextFrom: at + BigInt(HOUR),
      unit: 255n,
      active: true,
    })
  })

  it('lets the operator set prices too, and touches no other row', async () => {
    const world = await loadFixture(registered)
    const { board, alice, nodeId, nodeKey, mft } = world
    await set(world, 10n)
    await board
      .connect(alice)
      .setPrices(nodeId, nodeKey, [ask(ZERO, 3n), ask(mft, 4n, { service: key('x') })])
    const rows = await board.rows(
      [nodeId, nodeId, nodeId, key('other')],
      [route, route, key('x'), route],
      [mft, ZERO, mft, mft],
    )
    expect(rows.map((row) => [row.service, row.token, row.next])).to.deep.equal([
      [route, mft, 10n],
      [route, ZERO, 3n],
      [key('x'), mft, 4n],
      [route, mft, 0n],
    ])
  })

  it('tells in the event how every touched row stands, in order', async () => {
    const { board, bob, nodeId, proof, mft } = await loadFixture(registered)
    await board
      .connect(bob)
      .setPrices(nodeId, proof, [ask(mft, 5n), ask(mft, 4n), ask(mft, 9n, { active: false })])
    const from = BigInt(await time.latest()) + BigInt(parameters.priceDelaySeconds)
    const logs = await logsOf(board)
    expect(logs.map(({ eventName, args }) => [eventName, ...args.slice(0, 3)])).to.deep.equal(
      logs.map(() => ['PriceSet', nodeId, route, mft]),
    )
    const rising = (next: bigint) =>
      encodeSchedule({ price: 0n, next, nextFrom: Number(from), unit: 0, active: true })
    expect(logs.map(({ args }) => args['schedule'])).to.deep.equal([rising(5n), rising(4n), 0n])
    expect((await board.continuity()).seq).to.equal(3n)
    expect(logs.at(-1)?.args['continuity']).to.equal(await continuityWord(board))
  })
})

describe('PriceBoard views', () => {
  it('refuses lists of different lengths', async () => {
    const { board } = await loadFixture(deployed)
    for (const [nodes, services, tokens] of [
      [1, 2, 1],
      [1, 1, 2],
      [2, 1, 1],
    ] as const) {
      const hashes = (n: number) => Array.from({ length: n }, () => route)
      await expect(
        board.rows(
          hashes(nodes),
          hashes(services),
          Array.from({ length: tokens }, () => ZERO),
        ),
      )
        .to.be.revertedWithCustomError(board, 'BoardLengthMismatch')
        .withArgs(nodes, services, tokens)
    }
  })

  it('names its registry and its parameters', async () => {
    const { board, registry } = await loadFixture(deployed)
    expect(await board.registry()).to.equal(await registry.getAddress())
    expect(await board.delay()).to.equal(HOUR)
    expect(await board.MAX_ROWS()).to.equal(64n)
  })

  it('has a head that the logs alone lead to', async () => {
    const world = await loadFixture(registered)
    const { board, bob, nodeId, proof, mft } = world
    expect(await board.continuity()).to.deep.equal([0n, `0x${'00'.repeat(24)}`])
    await set(world, 10n)
    await time.increase(HOUR)
    await board.connect(bob).setPrices(nodeId, proof, [ask(mft, 20n), ask(ZERO, 4n, { unit: 1 })])
    await set(world, 1n, { active: false })
    const logs = await logsOf(board)
    expect(logs).to.have.length(4)
    expect(replay(logs)).to.deep.equal(await storedHead(board))
    expect(replay(logs).seq).to.equal(4n)
    expect(replay(logs.slice(1)).head).not.to.equal((await storedHead(board)).head)
  })
})
