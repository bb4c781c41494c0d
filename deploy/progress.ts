import { type ExecutionEventListener, ExecutionEventType } from '@nomicfoundation/ignition-core'

/** A step of a deployment that was taken. */
export interface Progress {
  step: 'sent' | 'mined' | 'deployed'
  contract: string
  /** Of the transaction; for `deployed` the address. */
  hash?: string
  address?: string
}

/** What arrives from Ignition, as far as it is of use here. */
interface IgnitionEvent {
  type: ExecutionEventType
  futureId?: string
  hash?: string
  result?: { result?: string }
}

/** Hears everything that Ignition tells, and hands on what people want to know. */
export function createListener(onProgress: (progress: Progress) => void): ExecutionEventListener {
  const hear = async ({ type, futureId = '', hash, result }: IgnitionEvent) => {
    const contract = futureId.slice(futureId.indexOf('#') + 1)
    if (type === ExecutionEventType.TRANSACTION_SEND && hash !== undefined) {
      onProgress({ step: 'sent', contract, hash })
    }
    if (type === ExecutionEventType.TRANSACTION_CONFIRM && hash !== undefined) {
      onProgress({ step: 'mined', contract, hash })
    }
    const address = result?.result
    if (type === ExecutionEventType.DEPLOYMENT_EXECUTION_STATE_COMPLETE && address !== undefined) {
      onProgress({ step: 'deployed', contract, address })
    }
  }
  // one listener for some thirty events, most of which are no news
  return new Proxy({} as ExecutionEventListener, { get: () => hear })
}
