import { readFile } from 'node:fs/promises'
import { expect } from 'chai'
import { deployed, ethers, FUNDS, networkHelpers } from './support/chain.ts'
import { slotOf } from './support/channels.ts'
import { key, signature } from './support/nodes.ts'

const { loadFixture, time } = networkHelpers

/** The JavaScript blocks of a page, as one function of the names given. */
async function examplesOf(page: string, names: string[]) {
  const text = await readFile(new URL(`../../docs/${page}`, import.meta.url), 'utf8')
  const blocks = [...text.matchAll(/```js\n(.*?)```/gs)].map((match) => match[1] ?? '')
  expect(blocks).not.to.have.length(0)
  const body = `return (async () => {${blocks.join('\n')}; return { nodeId, channelId } })()`
  return new Function(...names, body)
}

describe('docs/contracts.md', () => {
  it('has examples that do what they say', async () => {
    const contracts = await loadFixture(deployed)
    const { token, registry, board, channels, alice: operator, bob: payer, carol } = contracts
    const given = {
      ethers,
      token,
      registry,
      board,
      channels,
      operator,
      payer,
      payee: carol,
      nodeKey: key('node'),
      sealKey: key('seal'),
      signature,
      pass: (seconds: number) => time.increase(seconds),
    }
    const run = await examplesOf('contracts.md', Object.keys(given))
    const { nodeId, channelId } = await run(...Object.values(given))
    const [state] = await registry.states([nodeId])
    expect(state?.stake).to.equal(await registry.minimumStake())
    expect((await board.current(nodeId, key('route/1'), token)).price).to.equal(5_000_000_000n)
    expect((await slotOf(contracts, channelId)).deposit).to.equal(0n)
    expect(await token.balanceOf(carol.address)).to.equal(FUNDS + ethers.parseEther('3'))
    expect(await token.balanceOf(payer.address)).to.equal(FUNDS - ethers.parseEther('3'))
  })
})
