/** A client of the SDK in a process of its own, so that it can be killed. */
import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Person } from '@mainframe/localnet'
import type { Hex } from '@mainframe/protocol'
import type { ChannelSpending, NetworkOptions } from '@mainframe/sdk'
import type { TestNetwork } from './network.ts'
import { until, within } from './waiting.ts'

/** What the child is told to do. Secrets come this way too: nobody can read them in its arguments. */
export type Order =
  | {
      do: 'open'
      network: NetworkOptions
      account: Hex
      inboxSecretKey: Uint8Array
      storeFolder: string
    }
  /** `take` finishes with every message, `hang` with none. */
  | { do: 'handle'; mode: 'take' | 'hang' }
  | { do: 'send'; to: string; text: string; until: 'accepted' | 'delivered' }
  | { do: 'catch up' }
  | { do: 'spending' }

export interface Request {
  number: number
  order: Order
}

/** The answer to a request, or the id of a message that the handler got. */
export type Report =
  | { number: number; value: unknown }
  | { number: number; error: string }
  | { received: string }

const CHILD = fileURLToPath(new URL('client-child.ts', import.meta.url))

export class ClientProcess {
  /** Ids of messages in the order in which the handler got them. */
  readonly received: string[] = []
  readonly #child: ChildProcess
  readonly #pending = new Map<number, PromiseWithResolvers<unknown>>()
  #number = 0

  private constructor() {
    this.#child = fork(CHILD, { serialization: 'advanced' })
    this.#child.on('message', (report: Report) => this.#onReport(report))
    this.#child.once('exit', () => this.#failAll())
  }

  /** Opens a person's client; it is killed with the network at the latest. */
  static async start(person: Person, network: TestNetwork): Promise<ClientProcess> {
    const client = new ClientProcess()
    network.shutdown.add(() => client.kill())
    const { rpcUrl, deployment } = network.chain
    await client.#ask({
      do: 'open',
      network: { rpcUrl, deployment, indexers: [network.indexer.url] },
      account: person.accountSecret,
      inboxSecretKey: person.inbox.secretKey,
      storeFolder: person.storeFolder,
    })
    return client
  }

  async handle(mode: 'take' | 'hang'): Promise<void> {
    await this.#ask({ do: 'handle', mode })
  }

  /** Resolves when the handler got that message. */
  async gets(id: string): Promise<void> {
    await until(`the client process gets message ${id}`, () => this.received.includes(id))
  }

  /** Resolves with the message's id when it is with the entry relay, or acknowledged. */
  async send(to: string, text: string, how: 'accepted' | 'delivered'): Promise<string> {
    return (await this.#ask({ do: 'send', to, text, until: how })) as string
  }

  async caughtUp(): Promise<void> {
    await this.#ask({ do: 'catch up' })
  }

  async spending(): Promise<ChannelSpending[]> {
    return (await this.#ask({ do: 'spending' })) as ChannelSpending[]
  }

  /** SIGKILL: nothing is closed, nothing is saved. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }

  async #ask(order: Order): Promise<unknown> {
    const number = this.#number++
    const answer = Promise.withResolvers<unknown>()
    this.#pending.set(number, answer)
    this.#child.send({ number, order } satisfies Request)
    return await within(`the client process does "${order.do}"`, answer.promise)
  }

  #onReport(report: Report): void {
    if ('received' in report) {
      this.received.push(report.received)
      return
    }
    const answer = this.#pending.get(report.number)
    this.#pending.delete(report.number)
    if ('error' in report) answer?.reject(new assert.AssertionError({ message: report.error }))
    else answer?.resolve(report.value)
  }

  #failAll(): void {
    const error = new assert.AssertionError({ message: 'The client process has ended' })
    for (const { reject } of this.#pending.values()) reject(error)
  }
}
