import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Hex, PERMIT_TYPES, permitDomain } from '@mainframe/protocol'
import { TypedDataEncoder } from 'ethers'

const address: Hex = `0x${'5d'.repeat(20)}`
const domain = { name: 'Dollar', version: '2', chainId: 7, verifyingContract: address }
const separator = TypedDataEncoder.hashDomain(domain) as Hex
const token = { address, chainId: 7, name: 'Dollar', version: undefined, separator }

describe('the domain of a token’s permits', () => {
  it('is none when the separator is that of another token, chain, name or version', () => {
    const other: Hex = `0x${'5e'.repeat(20)}`
    for (const changes of [
      { address: other },
      { chainId: 8 },
      { name: 'Dollars' },
      { version: '1' },
      { separator: TypedDataEncoder.hashDomain({ ...domain, version: '3' }) as Hex },
    ]) {
      assert.equal(permitDomain({ ...token, ...changes }), undefined, JSON.stringify(changes))
    }
  })

  it('is found by its separator, with the version that the token tells or a usual one', () => {
    assert.deepEqual(permitDomain(token), domain)
    assert.deepEqual(permitDomain({ ...token, version: '2' }), domain)
  })

  it('goes with the struct of ERC-2612', () => {
    const type =
      'Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)'
    assert.equal(TypedDataEncoder.from(PERMIT_TYPES).encodeType('Permit'), type)
  })
})
