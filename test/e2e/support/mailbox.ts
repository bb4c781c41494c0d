/** What a client received, for tests that count. */
import type { Mainframe, ReceivedMessage } from '@mainframe/sdk'
import { until } from './waiting.ts'

export class Mailbox {
  readonly messages: ReceivedMessage[] = []

  constructor(client: Mainframe) {
    client.onMessage((message) => void this.messages.push(message))
  }

  /** The message with that id, as soon as it is there. */
  async take(id: string): Promise<ReceivedMessage> {
    const find = () => this.messages.find((message) => message.id === id)
    await until(`message ${id} arrives`, () => find() !== undefined)
    return find() as ReceivedMessage
  }

  /** Ids in the order of their arrival; an id that came twice is there twice. */
  get ids(): string[] {
    return this.messages.map(({ id }) => id)
  }
}

export const encode = (text: string) => new TextEncoder().encode(text)
export const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
