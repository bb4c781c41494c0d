import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type Hex, toHex } from '@mainframe/protocol'
import { claimPort } from '../../../localnet/src/ports.ts'
import { Service } from '../../../localnet/src/service.ts'
import { callView, channelsContract } from '../../../node/src/chain/contracts.ts'
import { Rpc } from '../../../node/src/chain/rpc.ts'
import { initRelay } from '../../../node/src/commands.ts'
import { Watchtowers, type WatchtowersOptions } from '../../../node/src/payments/watchtowers.ts'
import { SIGNATURE_HEADER, VOUCHERS_PATH } from '../../../node/src/watchtower/wire.ts'
import { startChain, type TestChain } from '../../helpers/chain.ts'
import { createRelay, MFT, newFolder, until } from '../chain-support.ts'
import {
  createPayer,
  creditOf,
  DEPTH,
  deposit,
  exit,
  NOTICE_SECONDS,
  type Payee,
  type Payer,
  startPayee,
  UNIT,
} from '../payments/support.ts'
import { createAccount, requestOf } from './support.ts'

const CLI = join(import.meta.dirname, '../../../node/src/cli.ts')
const START_MS = 60_000

describe('a watchtower process', () => {
  let chain: TestChain
  let folder = ''
  let port = 0
  let tower: Service
  let payee: Payee
  const clients: Watchtowers[] = []

  before(async () => {
    chain = await startChain()
    folder = await mkdtemp(join(tmpdir(), 'tower-'))
    port = await claimPort(0, 'tower')
    const { hotAccount } = await initRelay(folder)
    await chain.fund(hotAccount, 0n)
    const { keys } = await createRelay(chain, { mft: 0n })
    const { hotAccount: account, hotSecret: secretKey } = keys
    payee = await startPayee(chain, { account, secretKey, folder: await newFolder() })
    await payee.confirm()
    tower = await launch()
  })
  after(async () => {
    for (const client of clients) await client.stop()
    await tower?.stop()
    await payee?.stop()
    await payee?.remove()
    await chain?.stop()
    await rm(folder, { recursive: true })
  })

  async function launch(): Promise<Service> {
    const settings = {
      data: folder,
      'rpc-url': chain.rpcUrl,
      'deployment-file': chain.deploymentFile,
      confirmations: `${DEPTH}`,
      'poll-interval-ms': '20',
      'tower-port': `${port}`,
      'tower-min-units': '1',
    }
    const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
    const args = [CLI, 'start', '--watchtower', ...flags, '--json']
    const service = new Service({ name: 'watchtower', args, logFile: join(folder, 'tower.log') })
    await service.waitFor('listening', START_MS)
    return service
  }

  const url = () => `http://127.0.0.1:${port}`

  function client(options: Partial<WatchtowersOptions> = {}): Watchtowers {
    const { account, secretKey: payeeSecret, directory, vouchers } = payee
    const { deployment } = chain
    const watchtowers = new Watchtowers({
      urls: [url()],
      deployment,
      directory,
      vouchers,
      payee: account,
      payeeSecret,
      pushMs: 20,
      ...options,
    })
    clients.push(watchtowers)
    watchtowers.start()
    return watchtowers
  }

  async function pay(payer: Payer, units: number): Promise<void> {
    const credit = creditOf(chain, payer, { payee: payee.account, units })
    assert.equal((await payee.ledger.offer(credit, {})).outcome, 'accepted')
  }

  async function paying(units: number): Promise<Payer> {
    const payer = await createPayer(chain)
    await deposit(chain, payer, { payee: payee.account, amount: 10n * MFT })
    await payee.confirm()
    await pay(payer, units)
    return payer
  }

  async function vaultOf(account: Hex): Promise<bigint> {
    const [balances] = await callView(new Rpc({ url: chain.rpcUrl }), {
      to: chain.deployment.channels,
      contract: channelsContract,
      method: 'vaults',
      args: [[chain.deployment.token], account],
    })
    return balances[0]
  }

  it('refuses what is no request, says why, and stays well', async () => {
    const post = (body: string, signature = '') =>
      fetch(url() + VOUCHERS_PATH, {
        method: 'POST',
        body,
        headers: { [SIGNATURE_HEADER]: signature },
      })
    const [body, signature] = requestOf(createAccount(), [])
    const answers: [Response, number, RegExp][] = [
      [await fetch(`${url()}/v1/other`), 404, /POST \/v1\/vouchers/],
      [await post('{'), 400, /docs\/watchtower\.md/],
      [await post(Buffer.from(body).toString(), toHex(signature)), 403, /does not serve/],
      [await post('x'.repeat(200_000)), 413, /at most 131072 bytes/],
    ]
    const { secretKey, account } = payee
    const [unsigned] = requestOf({ secretKey, account }, [])
    answers.push([await post(Buffer.from(unsigned).toString(), '0x12'), 401, /signature/])
    const [late, lateSignature] = requestOf({ secretKey, account }, [], { time: 1 })
    answers.push([await post(Buffer.from(late).toString(), toHex(lateSignature)), 401, /clock/])
    for (const [response, status, message] of answers) {
      assert.equal(response.status, status)
      assert.match(((await response.json()) as { message: string }).message, message)
    }
    assert.equal(await chunked(), 413, 'a body without a length')
    const health = await fetch(`${url()}/healthz`)
    assert.deepEqual([health.status, await health.json()], [200, { ok: true, reasons: [] }])
  })

  /** The status of a request whose length nobody knows before its end. */
  async function chunked(): Promise<number | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>()
    const sent = httpRequest(url() + VOUCHERS_PATH, { method: 'POST' }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    sent.on('error', reject)
    sent.write('{')
    sent.end('}')
    return await promise
  }

  it('tells a payee how fresh its copy is, and the payee whether it is reached at all', async () => {
    const payer = await paying(1_000)
    const troubles: string[] = []
    const nowhere = await claimPort(0, 'nobody')
    const urls = [url(), `http://127.0.0.1:${nowhere}/secret/path`]
    const watchtowers = client({ urls, onTrouble: ({ message }) => troubles.push(message) })
    const { token } = chain.deployment
    const behind = () => watchtowers.freshness.map((copy) => copy.behind[token] ?? 0n)
    await until(() => behind()[0] === 0n && troubles.length > 0)
    assert.deepEqual(behind(), [0n, 1_000n * UNIT])
    const [there, away] = watchtowers.freshness
    assert.ok(there?.answeredMs)
    assert.deepEqual([away?.answeredMs, away?.url], [undefined, `http://127.0.0.1:${nowhere}`])
    await pay(payer, 5_000)
    await until(() => behind()[0] === 0n)
    assert.deepEqual(behind(), [0n, 5_000n * UNIT])
    assert.equal(troubles.length, 1, 'once, not at every try')
    assert.doesNotMatch(troubles[0] ?? '', /secret/)
  })

  it('killed after it answered holds what it said, and claims it while the payee is away', async () => {
    const payer = await paying(3_000)
    const watchtowers = client()
    const copy = () => watchtowers.freshness[0]
    await until(
      () => Object.keys(copy()?.behind ?? {}).length === 0 && copy()?.answeredMs !== undefined,
    )
    await tower.kill()
    await watchtowers.stop()
    await payee.stop()
    const before = await vaultOf(payee.account)
    await exit(chain, payer, { payee: payee.account, method: 'requestClose' })
    await chain.passTime(NOTICE_SECONDS / 2)
    await chain.mine(DEPTH)
    tower = await launch()
    await until(async () => (await vaultOf(payee.account)) > before, START_MS)
    assert.equal((await vaultOf(payee.account)) - before, 3_000n * UNIT)
  })
})
