/** Somebody who pays a relay to hold as much as it takes, and notes what it acknowledged. */
import type { RelayProcess } from '@mainframe/localnet'
import { minutesNow, packetEnc, roundUpExpiry, toHex } from '@mainframe/protocol'
import type { RawPayer } from '../../node/support/payee-world.ts'
import { inboxPacket } from '../../node/support/rule-world.ts'
import type { TestNetwork } from './network.ts'
import { creditOf, meet, type OpenChannel } from './stranger.ts'
import { until, within } from './waiting.ts'

/** More than a relay here asks for an hour, less than two of them do: no copy is paid. */
export const POSTAGE_UNITS = 1_900
const BASE_PER_UNIT = 10n ** 9n
/** Below the largest window of a relay, enough for thousands of packets. */
const WINDOW_UNITS = 8_000_000n
const BATCH = 100

export interface Filled {
  /** Encapsulated keys of the packets that were acknowledged as taken. */
  taken: Set<string>
  /** Why a packet was refused in the end; `undefined` when the link ended instead. */
  reason: string | undefined
  /** What the relay says was spent. */
  spentUnits: number
}

/** Sends packets until the relay refuses one or goes away. */
export async function fill(
  relay: RelayProcess,
  network: TestNetwork,
  channel: OpenChannel,
): Promise<Filled> {
  const payer = await meet(relay, network)
  await prepay(payer, network, channel)
  const filled: Filled = { taken: new Set(), reason: undefined, spentUnits: 0 }
  const sent: string[] = []
  while (filled.reason === undefined && (await sendBatch(payer, sent))) {
    note(payer, sent, filled)
  }
  note(payer, sent, filled)
  payer.abort()
  return filled
}

/** The relay takes the voucher once it has seen the deposit. */
async function prepay(payer: RawPayer, network: TestNetwork, channel: OpenChannel): Promise<void> {
  let amount = WINDOW_UNITS * BASE_PER_UNIT
  await until('the voucher is accepted', async () => {
    amount += 1n
    payer.credit(creditOf(channel, amount, network))
    return (await within('the voucher is judged', payer.verdict())) === 'accepted'
  })
}

/** False when the link ended before the last packet of the batch was processed. */
async function sendBatch(payer: RawPayer, sent: string[]): Promise<boolean> {
  for (let i = 0; i < BATCH; i++) {
    const packet = inboxPacket('', roundUpExpiry(minutesNow() + 60))
    sent.push(toHex(packetEnc(packet)))
    payer.packet(packet, POSTAGE_UNITS)
  }
  const processed = payer
    .ack((ack) => ack.processed === sent.length)
    .then(
      () => true,
      () => false,
    )
  return await within('the relay answers or goes away', processed)
}

function note(payer: RawPayer, sent: readonly string[], filled: Filled): void {
  const refused = payer.acks.flatMap((ack) => ack.refused)
  const reasons = new Map(refused.map(({ sequence, reason }) => [sequence, reason]))
  const last = payer.acks.at(-1)
  sent.slice(0, last?.processed).forEach((enc, i) => {
    if (!reasons.has(i + 1)) filled.taken.add(enc)
  })
  filled.reason = refused[0]?.reason
  filled.spentUnits = last?.spentUnits ?? 0
}
