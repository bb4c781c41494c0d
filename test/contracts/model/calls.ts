/** Actions as calls of the contracts. */
import { AbiCoder } from 'ethers'
import type { Terms } from '../support/channels.ts'
import type { Deployment } from './deployment.ts'
import type { Action } from './state.ts'
import { COIN } from './universe.ts'

export interface Call {
  target: string
  value: bigint
  data: string
}

/** The function of MFT that a call of this kind is; of all other kinds the kind is its name. */
export const TRANSFER_AND_CALL = 'transferAndCall(address,uint256,bytes)'

/** The call that performs an action; to wait is to call nobody. */
export function callOf({ facts, interfaces }: Deployment, action: Action): Call {
  const call = (target: string, name: string, args: unknown[]): Call => {
    const data = interfaces[target]?.encodeFunctionData(name, args) ?? '0x'
    return { target, value: 0n, data }
  }
  const own = (...args: unknown[]) => call(facts.address, action.kind, args)
  switch (action.kind) {
    case 'wait':
      return { target: COIN, value: 0n, data: '0x' }
    case 'approve':
      return call(action.token, 'approve', [facts.address, action.amount])
    case 'transferAndCall': {
      const data = action.garbled ? '0x1234' : termsData(action.terms)
      return call(facts.mft, TRANSFER_AND_CALL, [facts.address, action.amount, data])
    }
    case 'onTransferReceived':
      return own(action.from, action.from, action.amount, termsData(action.terms))
    case 'deposit':
      return { ...own(action.token, action.amount), value: action.value }
    case 'depositFor':
      return { ...own(action.token, action.owner, action.amount), value: action.value }
    case 'withdraw':
      return own(action.token, action.to, action.amount)
    case 'open':
      return { ...own(action.terms, action.amount, action.expectedEpoch), value: action.value }
    case 'openWithPermit':
      return own(action.terms, action.amount, action.expectedEpoch, action.permit)
    case 'openFromVault':
      return own(action.token, action.notice, action.rows)
    case 'claim':
    case 'claimable':
      return own(action.payee, action.token, action.notice, action.rows)
    case 'claimTo':
    case 'closeByPayeeTo':
      return own(action.token, action.notice, action.rows, action.to)
    case 'closeByPayee':
      return own(action.token, action.notice, action.rows)
    case 'closeWithRelease':
      return own(action.terms, action.amount, action.r, action.vs)
    case 'requestClose':
    case 'cancelClose':
    case 'finalize':
      return own(action.terms)
    case 'finalizeTo':
      return own(action.terms, action.to)
  }
}

/** The data of `transferAndCall`. */
function termsData({ payee, signer, notice }: Terms): string {
  const types = ['address', 'address', 'uint32']
  return AbiCoder.defaultAbiCoder().encode(types, [payee, signer, notice])
}
