/** Somebody who speaks to a relay frame by frame, and pays as badly as a test wants. */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Person, RelayProcess } from '@mainframe/localnet'
import {
  type ByteStream,
  type ChannelTerms,
  channelId,
  domainSeparator,
  encodeCredit,
  fromHex,
  secretKeyAccount,
  signDigest,
  voucherDigest,
} from '@mainframe/protocol'
import type { Mainframe } from '@mainframe/sdk'
import { Network } from '../../../node/src/links/network.ts'
import { RawPayer } from '../../node/support/payee-world.ts'
import type { TestNetwork } from './network.ts'

/** Terms of an open channel, and the key that signs for it. */
export interface OpenChannel {
  terms: ChannelTerms
  signerSecret: Uint8Array
  epoch: number
  depositBase: bigint
}

/** A stream to the relay, under an identity of its own, on which nothing was said. */
export async function knock(relay: RelayProcess, network: TestNetwork): Promise<ByteStream> {
  const client = new Network({
    nodeSeed: Uint8Array.from(randomBytes(32)),
    listen: [],
    maxConnections: 1,
    maxConnectionsPerSecond: 1,
  })
  network.shutdown.add(() => client.stop())
  await client.start(() => {})
  return await client.open(relay, AbortSignal.timeout(60_000))
}

/** A link to the relay that has said HELLO and nothing else. */
export async function meet(relay: RelayProcess, network: TestNetwork): Promise<RawPayer> {
  const payer = new RawPayer(await knock(relay, network))
  const { chainId, channels } = network.chain.deployment
  payer.hello({ chainId, channels: fromHex(channels, 20) })
  return payer
}

/** The one channel of a client, and the key for it from his store. */
export async function channelOf(
  client: Mainframe,
  { storeFolder }: Person,
  { chain }: TestNetwork,
): Promise<OpenChannel> {
  const [channel] = (await client.spending()).channels
  if (!channel) throw new TypeError('The client has no channel')
  const { channelId: id, payee, epoch, depositBase } = channel
  const record = await readFile(join(storeFolder, `channel.${id.slice(2)}`), 'utf8')
  const { noticeSeconds } = JSON.parse(record) as { noticeSeconds: number }
  const signerSecret = Uint8Array.from(await readFile(join(storeFolder, 'voucher-secret')))
  const terms: ChannelTerms = {
    payer: fromHex(client.account, 20),
    payee: fromHex(payee, 20),
    token: fromHex(chain.deployment.token, 20),
    signer: secretKeyAccount(signerSecret),
    noticeSeconds,
  }
  return { terms, signerSecret, epoch, depositBase }
}

/** The body of a CREDIT over that amount, signed by the channel's key unless another one is given. */
export function creditOf(
  { terms, epoch, signerSecret }: OpenChannel,
  amount: bigint,
  { chain, signWith = signerSecret }: Pick<TestNetwork, 'chain'> & { signWith?: Uint8Array },
): Uint8Array {
  const { chainId, channels } = chain.deployment
  const separator = domainSeparator({ chainId: BigInt(chainId), contract: fromHex(channels, 20) })
  const digest = voucherDigest(separator, { channelId: channelId(terms), epoch, amount })
  const { payer, token, signer, noticeSeconds } = terms
  const signature = signDigest(digest, signWith)
  return encodeCredit({ payer, token, signer, noticeSeconds, epoch, amount, signature })
}
