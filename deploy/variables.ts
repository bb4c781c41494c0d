/** The configuration variables of a network, to be set in Hardhat's keystore or in the environment. */
export function variablesOf(network: string): { urlVariable: string; keyVariable: string } {
  const prefix = network.toUpperCase().replaceAll('-', '_')
  return { urlVariable: `${prefix}_RPC_URL`, keyVariable: `${prefix}_DEPLOYER_KEY` }
}
