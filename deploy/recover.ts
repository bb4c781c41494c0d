/** What a killed run left open: transactions that it meant to send and may have sent. */
import { setTimeout as sleep } from 'node:timers/promises'
import { MainframeError } from '@mainframe/protocol'
import { type EIP1193Provider, trackTransaction, wipe } from '@nomicfoundation/ignition-core'
import { createArtifactResolver } from './artifacts.ts'
import { type JournalEntry, readJournal } from './journal.ts'
import { askNumber, countTransactions, type RequestProvider } from './provider.ts'

export interface Recovery {
  provider: RequestProvider
  deploymentDir: string
  confirmations: number
  pollingMs: number
  /** How long a transaction that was sent may take to be in a block. */
  patienceMs: number
}

interface Transaction {
  hash: string
  from: string
  nonce: string
}

/**
 * Finds the transaction of each contract whose journal ends between "is going to be sent" and "was sent",
 * and tells the journal. A contract whose transaction was never sent, or reverted, is begun anew.
 * Throws `CHAIN_REJECTED` for a transaction that is in no block yet.
 */
export async function recoverTransactions(recovery: Recovery): Promise<void> {
  const { deploymentDir } = recovery
  for (const entry of await readJournal(deploymentDir)) {
    if (entry.end === 'failed') await forget(deploymentDir, entry)
    else if (entry.end === 'timed out') throw stuck(entry)
    else if (isOpen(entry)) await recover(entry, recovery)
  }
}

async function forget(deploymentDir: string, { futureId }: JournalEntry): Promise<void> {
  await wipe(deploymentDir, createArtifactResolver(), futureId)
}

function stuck({ contract, hash }: JournalEntry): MainframeError {
  return new MainframeError(
    'CHAIN_REJECTED',
    `An earlier run waited in vain for transaction ${hash} of ${contract}; what to do is in docs/deploying.md, "A transaction that is stuck"`,
    { details: { contract, hash } },
  )
}

type OpenEntry = JournalEntry & { nonce: number }

function isOpen(entry: JournalEntry): entry is OpenEntry {
  return entry.nonce !== undefined && entry.hash === undefined
}

async function recover(entry: OpenEntry, recovery: Recovery): Promise<void> {
  const { provider, deploymentDir, confirmations } = recovery
  const sent = await countTransactions(provider, entry.from, 'pending')
  if (sent <= entry.nonce) return await forget(deploymentDir, entry)
  const block = await waitForBlock(entry, recovery)
  const transaction = await findTransaction(provider, entry, block)
  await trackTransaction(
    deploymentDir,
    transaction.hash,
    provider as EIP1193Provider,
    confirmations,
  )
}

/** The newest block once the nonce is used up in it, with as many blocks on top as must be. */
async function waitForBlock(entry: OpenEntry, recovery: Recovery): Promise<number> {
  const { provider, confirmations, pollingMs, patienceMs } = recovery
  const deadline = Date.now() + patienceMs
  do {
    const block = await askNumber(provider, 'eth_blockNumber')
    const settled = block - confirmations + 1
    if (settled >= 0 && (await countTransactions(provider, entry.from, settled)) > entry.nonce) {
      return block
    }
    await sleep(pollingMs)
  } while (Date.now() < deadline)
  throw new MainframeError(
    'CHAIN_REJECTED',
    `The transaction with nonce ${entry.nonce} of ${entry.from}, sent by an earlier run, is still in no block; wait and run this again`,
    { retryable: true },
  )
}

/** The transaction that used the nonce up, which happened in `newest` or before. */
async function findTransaction(
  provider: RequestProvider,
  { from, nonce }: OpenEntry,
  newest: number,
): Promise<Transaction> {
  const isUsed = async (block: number) => (await countTransactions(provider, from, block)) > nonce
  // the nonce is not used in `low` and is in `high`; first with growing steps back, as it was lately
  let high = newest
  let low = newest - 1
  for (let step = 2; low >= 0 && (await isUsed(low)); step *= 2) {
    high = low
    low = Math.max(low - step, -1)
  }
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (await isUsed(middle)) high = middle
    else low = middle
  }
  const { transactions } = (await provider.request({
    method: 'eth_getBlockByNumber',
    params: [`0x${high.toString(16)}`, true],
  })) as { transactions: Transaction[] }
  const found = transactions.find(
    (candidate) =>
      candidate.from.toLowerCase() === from.toLowerCase() && Number(candidate.nonce) === nonce,
  )
  if (found !== undefined) return found
  const message = `The chain answers that ${from} used nonce ${nonce} in block ${high}, which has no such transaction; use another RPC`
  throw new MainframeError('CHAIN_MISMATCH', message)
}
