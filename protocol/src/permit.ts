/** ERC-2612 permits: a signature in place of an approval (IPaymentChannels.openWithPermit). */
import { primitives } from '#primitives'
import { bigintToBytes, concatBytes, equalBytes, fromHex, type Hex, utf8 } from './bytes.ts'

/** The EIP-712 domain of a token's permits. */
export interface PermitDomain {
  name: string
  version: string
  chainId: number
  verifyingContract: Hex
}

/** The EIP-712 struct that a permit signs, as signers of ethers take it. */
export const PERMIT_TYPES = {
  Permit: [
    { name: 'owner', type: 'address' },
    { name: 'spender', type: 'address' },
    { name: 'value', type: 'uint256' },
    { name: 'nonce', type: 'uint256' },
    { name: 'deadline', type: 'uint256' },
  ],
}

/** What of a token is called for permits, and for what it does without them. */
export const PERMIT_TOKEN_ABI = [
  'function name() view returns (string)',
  'function version() view returns (string)',
  'function DOMAIN_SEPARATOR() view returns (bytes32)',
  'function nonces(address owner) view returns (uint256)',
  'function balanceOf(address owner) view returns (uint256)',
  'function allowance(address owner, address spender) view returns (uint256)',
  'function approve(address spender, uint256 value) returns (bool)',
  'function permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)',
]

const DOMAIN_TYPE = primitives.keccak256(
  utf8('EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)'),
)
/** Versions of tokens that do not tell theirs. */
const USUAL_VERSIONS = ['1', '2']

/**
 * The domain that a token answers the separator of; `undefined` when it is none of this token on this
 * chain, so that nobody is made to sign for another one.
 */
export function permitDomain(token: {
  address: Hex
  chainId: number
  name: string
  /** What the token says of itself, if it does. */
  version: string | undefined
  separator: Hex
}): PermitDomain | undefined {
  const { address: verifyingContract, chainId, name, version, separator } = token
  const versions = version === undefined ? USUAL_VERSIONS : [version]
  return versions
    .map((each): PermitDomain => ({ name, version: each, chainId, verifyingContract }))
    .find((domain) => equalBytes(separatorOf(domain), fromHex(separator)))
}

function separatorOf({ name, version, chainId, verifyingContract }: PermitDomain): Uint8Array {
  return primitives.keccak256(
    concatBytes(
      DOMAIN_TYPE,
      primitives.keccak256(utf8(name)),
      primitives.keccak256(utf8(version)),
      bigintToBytes(BigInt(chainId), 32),
      new Uint8Array(12),
      fromHex(verifyingContract, 20),
    ),
  )
}
