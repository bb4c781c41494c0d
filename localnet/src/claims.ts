/** The claims at the end of the story, until no relay earns any more. */
import type { Hex } from '@mainframe/protocol'
import { claimEarnings, fetchStatus, type RelayProcess } from './relays.ts'
import type { RelayReport } from './report.ts'

/** What is asked of relays; tests answer in their place. */
export interface Asks<Relay> {
  /** The transaction; `undefined` when there was nothing to claim. */
  claim(relay: Relay): Promise<Hex | undefined>
  /** What the relay has done and earned by now; `tx` is its last claim. */
  report(relay: Relay, tx: Hex | null): Promise<RelayReport>
  /** Until relays have published what they opened. */
  pause(): Promise<void>
}

/** Longer than the interval at which relays publish what they opened. */
const PUBLICATION_MS = 1_200
/** Copies are under way for a moment after the clients have gone; who earns for longer has a fault. */
const ROUNDS = 5

const RELAYS: Asks<RelayProcess> = {
  claim: claimEarnings,
  report: async (relay, tx) => {
    const status = await fetchStatus(relay)
    return {
      nodeId: relay.nodeId,
      packets: status.carried,
      opened: status.opened.forward,
      earned: BigInt(status.earnedBase),
      claimed: BigInt(status.claimedBase),
      tx,
    }
  },
  pause: () => new Promise((resolve) => setTimeout(resolve, PUBLICATION_MS)),
}

/**
 * Lets every relay claim, and all again while copies under way between them earn one something.
 * The reports are in the order of the relays; after the last round one may still have more earned
 * than claimed.
 */
export function claimAll(relays: readonly RelayProcess[]): Promise<RelayReport[]> {
  return claimWith(relays, RELAYS)
}

export async function claimWith<Relay>(
  relays: readonly Relay[],
  { claim, report, pause }: Asks<Relay>,
): Promise<RelayReport[]> {
  let reports: RelayReport[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const txs = await Promise.all(relays.map(claim))
    await pause()
    const lastTx = (i: number) => txs[i] ?? reports[i]?.tx ?? null
    reports = await Promise.all(relays.map((relay, i) => report(relay, lastTx(i))))
    if (reports.every(({ earned, claimed }) => earned === claimed)) break
  }
  return reports
}
