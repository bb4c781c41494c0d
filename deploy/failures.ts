/** What Ignition and Hardhat have to say, as errors of this project. */
import { type ErrorCode, MainframeError } from '@mainframe/protocol'
import { HardhatError } from '@nomicfoundation/hardhat-errors'
import { type DeploymentResult, DeploymentResultType } from '@nomicfoundation/ignition-core'

type FailedResult = Exclude<DeploymentResult, { type: DeploymentResultType.SUCCESSFUL_DEPLOYMENT }>

const OUTCOMES: Record<FailedResult['type'], { code: ErrorCode; sentence: string }> = {
  [DeploymentResultType.VALIDATION_ERROR]: {
    code: 'CONFIG_INVALID',
    sentence: 'The contracts cannot be deployed with these parameters and accounts',
  },
  [DeploymentResultType.RECONCILIATION_ERROR]: {
    code: 'CHAIN_MISMATCH',
    sentence:
      'An earlier deployment in this folder had other parameters, another account or other sources; go on with those',
  },
  [DeploymentResultType.PREVIOUS_RUN_ERROR]: {
    code: 'CHAIN_REJECTED',
    sentence: 'An earlier run failed',
  },
  [DeploymentResultType.EXECUTION_ERROR]: {
    code: 'CHAIN_REJECTED',
    sentence: 'A transaction failed; mend the cause and run this again',
  },
}

/** The error for a deployment that did not succeed. */
export function explainResult(result: FailedResult): MainframeError {
  const { code, sentence } = OUTCOMES[result.type]
  const [reason] = reasonsOf(result)
  return new MainframeError(code, reason === undefined ? sentence : `${sentence} (${reason})`, {
    details: JSON.parse(JSON.stringify(result)),
  })
}

function reasonsOf(result: FailedResult): string[] {
  if (result.type !== DeploymentResultType.EXECUTION_ERROR)
    return Object.values(result.errors).flat()
  const failed = result.failed.map(({ futureId, error }) => `${futureId}: ${error}`)
  return [...failed, ...result.timedOut.map(({ futureId }) => `${futureId} is in no block`)]
}

/** An error of Hardhat or Ignition in our own form; any other as it is. */
export function explainFailure(error: unknown): unknown {
  if (!HardhatError.isHardhatError(error)) return error
  const [sentence = ''] = error.formattedMessage.split('\n')
  return new MainframeError('CHAIN_REJECTED', sentence, { cause: error })
}
