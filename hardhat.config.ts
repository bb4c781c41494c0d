import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import toolbox from '@nomicfoundation/hardhat-toolbox-mocha-ethers'
import { defineConfig } from 'hardhat/config'

const require = createRequire(import.meta.url)

export default defineConfig({
  plugins: [toolbox],
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
  },
})
