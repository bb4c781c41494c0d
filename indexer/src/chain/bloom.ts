import { fromHex, type Hex } from '@mainframe/protocol'
import { keccak256 } from 'ethers'

/**
 * Whether a block's bloom filter (Yellow Paper §4.3.1) may hold a log of `address`. False is certain;
 * true is wrong now and then on busy chains.
 */
export function bloomMayHold(logsBloom: Hex, address: Hex): boolean {
  const bloom = fromHex(logsBloom, 256)
  const digest = fromHex(keccak256(address))
  return [0, 2, 4].every((offset) => {
    const bit = (((digest[offset] ?? 0) << 8) | (digest[offset + 1] ?? 0)) & 2047
    return ((bloom[255 - (bit >> 3)] ?? 0) >> (bit & 7)) & 1
  })
}
