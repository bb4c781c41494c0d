/** Hardhat as far as deploying needs it: its networks with their keys, its compiler, its verification. */
import { fileURLToPath } from 'node:url'
import { errorCode, MainframeError } from '@mainframe/protocol'
import { HardhatError } from '@nomicfoundation/hardhat-errors'
import { createHardhatRuntimeEnvironment } from 'hardhat/hre'
import type { HardhatRuntimeEnvironment } from 'hardhat/types/hre'
import userConfig from '../hardhat.config.ts'
import { askSecret } from './ask.ts'
import { compileAlone } from './compile-lock.ts'
import type { RequestProvider } from './provider.ts'
import { variablesOf } from './variables.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** What Hardhat refuses because of a configuration variable. */
const VARIABLE_ERRORS = [
  HardhatError.ERRORS.CORE.GENERAL.ENV_VAR_NOT_FOUND,
  HardhatError.ERRORS.CORE.GENERAL.INVALID_CONFIG_VARIABLE_URL,
  HardhatError.ERRORS.CORE.GENERAL.INVALID_CONFIG_VARIABLE_HEX_STRING,
  HardhatError.ERRORS.CORE.NETWORK.INVALID_URL,
]

const WRONG_PASSWORD =
  HardhatError.ERRORS.HARDHAT_KEYSTORE.GENERAL.INVALID_PASSWORD_OR_CORRUPTED_KEYSTORE

/** Hardhat for one of its networks; nothing is asked of the network yet. */
export async function startHardhat(network: string): Promise<HardhatRuntimeEnvironment> {
  // the build that deploys is the default one, so it is also the one to verify
  const options = { network, buildProfile: 'default', noTypechain: true }
  const hardhat = await createHardhatRuntimeEnvironment(userConfig, options, ROOT)
  // the keystore asks for its password; by itself it would do so on standard output
  hardhat.hooks.registerHandlers('userInterruptions', {
    requestSecretInput: (_context, _asker, what) => askSecret(`${what}: `),
  })
  return hardhat
}

/** Compiles what is not compiled yet. Throws `CONFIG_INVALID` when the sources are wrong. */
export async function compileContracts(hardhat: HardhatRuntimeEnvironment): Promise<void> {
  try {
    const build = hardhat.tasks.getTask('build')
    await compileAlone(() => build.run({ noTests: true, quiet: true }))
  } catch (cause) {
    const message = 'The contracts do not compile; run `npm run build` to see why'
    throw new MainframeError('CONFIG_INVALID', message, { cause })
  }
}

export interface Connection {
  provider: RequestProvider
  close(): Promise<void>
}

/**
 * Connects to the network that Hardhat was started for. Throws `CONFIG_INVALID` when its URL or key is
 * missing; the provider refuses with `CHAIN_UNREACHABLE` and `CHAIN_REJECTED`.
 */
export async function connect(hardhat: HardhatRuntimeEnvironment): Promise<Connection> {
  const explain = (error: unknown, method?: string) => explainError(error, hardhat, method)
  const connection = await hardhat.network.create().catch((error: unknown) => {
    throw explain(error)
  })
  return {
    provider: {
      async request(call) {
        return await connection.provider.request(call).catch((error: unknown) => {
          throw explain(error, call.method)
        })
      },
    },
    close: () => connection.close(),
  }
}

function explainError(
  error: unknown,
  { config, globalOptions }: HardhatRuntimeEnvironment,
  method?: string,
): MainframeError {
  const { network = '' } = globalOptions
  const { urlVariable, keyVariable } = variablesOf(network)
  if (VARIABLE_ERRORS.some((descriptor) => HardhatError.isHardhatError(error, descriptor))) {
    const [variable] = /[A-Z]+_(RPC_URL|DEPLOYER_KEY)/.exec((error as Error).message) ?? []
    return wrongVariable(variable ?? urlVariable, error)
  }
  if (HardhatError.isHardhatError(error, WRONG_PASSWORD)) {
    const message = "The password of Hardhat's keystore is wrong, or its file is damaged; try again"
    return new MainframeError('CONFIG_INVALID', message, { cause: error })
  }
  if (errorCode(error) !== undefined) return error as MainframeError
  if (isRpcError(error)) {
    const details = { method, rpcCode: error.code }
    return new MainframeError('CHAIN_REJECTED', `${method}: ${error.message}`, { details })
  }
  // only with a key of its own does Hardhat answer this by itself, and then the key is at fault
  const isOwnKey = config.networks[network]?.accounts !== 'remote' && method === 'eth_accounts'
  if (isOwnKey && !HardhatError.isHardhatError(error)) return wrongVariable(keyVariable, error)
  // what was asked, and so the URL with its access key, may stand in the error: it is not repeated
  const message = `The RPC of ${network} does not answer; check ${urlVariable}, and that the node runs`
  return new MainframeError('CHAIN_UNREACHABLE', message, { cause: error, retryable: true })
}

function wrongVariable(variable: string, cause: unknown): MainframeError {
  const what = variable.endsWith('_KEY') ? 'a private key of 64 hex digits' : 'an http(s) URL'
  const message = `${variable} is not set to ${what}; set it with \`npx hardhat keystore set ${variable}\` or in the environment`
  return new MainframeError('CONFIG_INVALID', message, { cause })
}

function isRpcError(error: unknown): error is Error & { code: number } {
  return error instanceof Error && 'code' in error && typeof error.code === 'number'
}
