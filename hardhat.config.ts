import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import toolbox from '@nomicfoundation/hardhat-toolbox-mocha-ethers'
import { configVariable, defineConfig, overrideTask } from 'hardhat/config'
import { variablesOf } from './deploy/variables.ts'

const require = createRequire(import.meta.url)

/** Another one each time; `FUZZ_SEED=0x… npx hardhat test solidity` repeats a run. */
const seed = process.env['FUZZ_SEED'] ?? `0x${randomBytes(32).toString('hex')}`

const printSeed = overrideTask(['test', 'solidity'])
  .setInlineAction(async (args, _hre, runSuper) => {
    process.stdout.write(`Fuzzing with FUZZ_SEED=${seed}\n`)
    return runSuper(args)
  })
  .build()

/** A Sourcify server of one's own. */
const sourcifyUrl = process.env['SOURCIFY_API_URL']
const local = variablesOf('localhost')

/** A network of others: its URL and key are asked for only when it is used. */
const remote = (name: string) => {
  const { urlVariable, keyVariable } = variablesOf(name)
  return {
    type: 'http' as const,
    chainType: 'l1' as const,
    url: configVariable(urlVariable),
    accounts: [configVariable(keyVariable)],
  }
}

export default defineConfig({
  plugins: [toolbox],
  tasks: [printSeed],
  paths: {
    sources: 'contracts',
    ignition: 'deploy',
    // mocks and Solidity tests lie here too: `hardhat build --no-tests` compiles what is deployed and nothing else
    tests: { mocha: 'test/contracts', solidity: 'test/contracts' },
  },
  solidity: {
    version: '0.8.37',
    // the compiler of npm's solc package, so that no compiler is ever downloaded
    path: require.resolve('solc/soljson.js'),
    settings: {
      evmVersion: 'cancun',
      optimizer: { enabled: true, runs: 1_000_000 },
      // saves 3 to 5 % of every operation
      viaIR: true,
    },
  },
  test: {
    solidity: {
      fuzz: { runs: 256, seed },
      // 32 * 50 calls for each invariant take half a minute in all; the handlers of test/contracts never revert
      invariant: { runs: 32, depth: 50, failOnRevert: true },
    },
  },
  typechain: {
    outDir: fileURLToPath(new URL('types/typechain', import.meta.url)),
    // generated code is not held to this project's compiler options
    tsNocheck: true,
  },
  networks: {
    // `hardhat node` is a network of its own, on which nothing is mined but every interval
    node: {
      type: 'edr-simulated',
      chainId: 31337,
      chainType: 'l1',
      hardfork: 'cancun',
      // blocks come several times a second: let their clock be the wall clock, not one second a block
      allowBlocksWithSameTimestamp: true,
      mining: { auto: false, interval: 300 },
      loggingEnabled: false,
    },
    localhost: {
      type: 'http',
      chainType: 'l1',
      url: configVariable(local.urlVariable, { default: 'http://127.0.0.1:8545' }),
      // without a key in the environment: the node's own accounts
      accounts: process.env[local.keyVariable] ? [configVariable(local.keyVariable)] : 'remote',
    },
    sepolia: remote('sepolia'),
    mainnet: remote('mainnet'),
  },
  verify: {
    etherscan: { apiKey: configVariable('ETHERSCAN_API_KEY') },
    blockscout: { enabled: true },
    // by default the public one
    sourcify: { enabled: true, ...(sourcifyUrl && { apiUrl: sourcifyUrl }) },
  },
})
