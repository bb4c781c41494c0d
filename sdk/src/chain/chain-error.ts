import { MainframeError } from '@mainframe/protocol'

/** What ethers throws, without addresses in it: an RPC URL may hold a key. */
export function chainError(cause: unknown, what: string): MainframeError {
  if (cause instanceof MainframeError) return cause
  const { code, error, info } = Object(cause) as EthersError
  const answer = error ?? info?.error
  const reason = String(answer?.message ?? 'it reverts')
  if (code === 'INSUFFICIENT_FUNDS' || /enough funds|insufficient funds/i.test(reason)) {
    return new MainframeError(
      'PAYMENT_INSUFFICIENT',
      "The account has too little of the chain's coin for gas; send it some",
    )
  }
  // A JSON-RPC error has a number; what went wrong on the way to the node has none.
  if (code === 'CALL_EXCEPTION' || typeof answer?.code === 'number') {
    return new MainframeError('CHAIN_REJECTED', `The chain refuses ${what}: ${reason}`, {
      details: { what },
    })
  }
  return new MainframeError(
    'CHAIN_UNREACHABLE',
    'The chain RPC does not answer; check its address and your connection',
    { details: { what }, retryable: true },
  )
}

/** The parts of an error of ethers that say whose fault it is. */
interface EthersError {
  code?: unknown
  error?: { code?: unknown; message?: unknown }
  info?: { error?: { code?: unknown; message?: unknown } }
}
