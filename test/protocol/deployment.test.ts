import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type ChainRecord, parseDeployment } from '@mainframe/protocol'

const addressOf = (digit: number) => `0x${String(digit).repeat(39)}A` as const
const [token, registry, board, channels] = [1, 2, 3, 4].map(addressOf)
const FLAT = { chainId: 5, block: 9, token, registry, board, channels }

function record(firstBlock: number): ChainRecord {
  const contract = (index: number) => ({
    address: addressOf(index + 1),
    block: firstBlock + index,
    codeHash: '0x' as const,
    arguments: [],
  })
  return { token: contract(0), registry: contract(1), board: contract(2), channels: contract(3) }
}

function refuses(value: unknown, message: RegExp, chainId?: number): void {
  const parse = () => parseDeployment(value, { chainId, where: 'a.json' })
  assert.throws(parse, (error: Error & { code: string }) => {
    assert.equal(error.code, 'CONFIG_INVALID')
    assert.match(error.message, /^In a\.json, [^\n]*$/)
    assert.match(error.message, message)
    return true
  })
}

describe('parseDeployment', () => {
  it('refuses what is no object of deployments', () => {
    for (const value of [null, 5, 'text', []]) refuses(value, /there is no JSON object/)
    refuses({}, /nothing was deployed yet/)
    refuses({ sepolia: record(1) }, /sepolia is neither a chain id nor of a deployment/)
    refuses({ '01': record(1) }, /01 is neither/)
  })

  it('refuses one deployment with a part that is missing or impossible', () => {
    refuses({ ...FLAT, board: undefined }, /board is missing/)
    refuses({ ...FLAT, board: '0x12' }, /board is no address/)
    refuses({ ...FLAT, board: 12 }, /board is no address/)
    refuses({ ...FLAT, chainId: 0 }, /chainId is no positive number/)
    refuses({ ...FLAT, block: -1 }, /block is no block number/)
    refuses({ ...FLAT, block: '1' }, /block is no block number/)
    refuses(FLAT, /the chain is 5 and not 6/, 6)
  })

  it('refuses the record of a chain with a part that is missing or impossible', () => {
    const { board: whole, ...rest } = record(1)
    refuses({ 5: rest }, /board is missing for chain 5/)
    refuses({ 5: 'soon' }, /token is missing for chain 5/)
    refuses({ 5: { ...rest, board: { ...whole, address: '0x' } } }, /board\.address is no address/)
    refuses({ 5: { ...rest, board: { ...whole, block: 1.5 } } }, /board\.block is no block/)
  })

  it('wants to be told the chain when there are several, and refuses one that is not there', () => {
    const file = { 5: record(1), 11155111: record(2) }
    refuses(file, /there are chains 5, 11155111: say which by its chain id/)
    refuses(file, /chain 7 is missing; there is only 5, 11155111/, 7)
    refuses({}, /chain 7 is missing; there is none/, 7)
  })

  it('gives addresses in lower case, from either form', () => {
    const lower = {
      token: token?.toLowerCase(),
      registry: registry?.toLowerCase(),
      board: board?.toLowerCase(),
      channels: channels?.toLowerCase(),
    }
    assert.deepEqual(parseDeployment({ ...FLAT, more: 'is ignored' }), {
      chainId: 5,
      block: 9,
      ...lower,
    })
    const file = { 5: record(30), 11155111: record(40) }
    assert.deepEqual(parseDeployment(file, { chainId: 11155111 }), {
      chainId: 11155111,
      block: 40,
      ...lower,
    })
    assert.deepEqual(parseDeployment({ 5: record(30) }).chainId, 5)
  })

  it('takes the earliest block of the four, whichever contract it was', () => {
    const chain = record(30)
    const file = { 5: { ...chain, channels: { ...chain.channels, block: 3 } } }
    assert.equal(parseDeployment(file).block, 3)
  })
})
