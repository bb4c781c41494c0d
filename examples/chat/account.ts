/** A wallet on the local network, made at the first start and kept beside the client's store. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fundAccounts, localProvider } from '@mainframe/localnet'
import { fromHex, type Hex, MainframeError, secretKeyAccount, toHex } from '@mainframe/protocol'
import type { NetworkOptions } from '@mainframe/sdk'

const FILE = 'account'
const BUDGET_BASE = 20n * 10n ** 18n

/** The private key of a person's account, with coin and MFT of the local network. */
export async function openAccount(folder: string, network: NetworkOptions): Promise<Hex> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const secret = await readOrCreate(join(folder, FILE))
  const account = toHex(secretKeyAccount(fromHex(secret)))
  const provider = localProvider(network.rpcUrl)
  try {
    // a new network knows nothing of an older one's money
    if ((await provider.getBalance(account)) > 0n) return secret
    const [treasury] = (await provider.send('eth_accounts', [])) as Hex[]
    if (!treasury) throw new MainframeError('CHAIN_MISMATCH', 'This chain gives no money away')
    const chain = { provider, treasury, deployment: network.deployment }
    await fundAccounts(chain, [{ account, mft: BUDGET_BASE }])
    return secret
  } finally {
    provider.destroy()
  }
}

async function readOrCreate(file: string): Promise<Hex> {
  try {
    return (await readFile(file, 'utf8')).trim() as Hex
  } catch {
    const secret = toHex(crypto.getRandomValues(new Uint8Array(32)))
    await writeFile(file, `${secret}\n`, { mode: 0o600, flag: 'wx' })
    return secret
  }
}
