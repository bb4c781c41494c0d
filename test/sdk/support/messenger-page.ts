/** Runs in a browser: a messenger that does what a test says. */
import {
  indexedDbStore,
  Mainframe,
  type Messenger,
  type MessengerEvent,
  type NetworkOptions,
} from '@mainframe/sdk'

let client: Mainframe | undefined
const events: MessengerEvent[] = []
let wake = Promise.withResolvers<void>()

async function messenger(): Promise<Messenger> {
  if (!client) throw new TypeError('No client is open')
  return await client.messenger()
}

async function until(fits: (event: MessengerEvent) => boolean): Promise<void> {
  while (!events.some(fits)) await wake.promise
}

const page = {
  /** Opens a client whose store is a database of the page; tells its contact code. */
  open: async (options: { network: NetworkOptions; account: string; store: string }) => {
    client = await Mainframe.open({ ...options, store: indexedDbStore(options.store) })
    const opened = await client.messenger()
    opened.on((event) => {
      events.push(event)
      wake.resolve()
      wake = Promise.withResolvers()
    })
    return opened.code
  },
  /** Asks somebody to be a contact. */
  request: async (code: string, introduction: string) => {
    await (await messenger()).contacts.request(code, { introduction })
  },
  accepted: (code: string) =>
    until((event) => {
      return (
        event.type === 'contact' &&
        event.contact.code === code &&
        event.contact.state === 'accepted'
      )
    }),
  say: async (code: string, text: string) => {
    const conversation = (await messenger()).conversationWith(code)
    if (!conversation) throw new TypeError('There is no conversation')
    return (await conversation.send(text)).id
  },
  hears: (text: string) =>
    until((event) => {
      return event.type === 'message' && new TextDecoder().decode(event.message.body) === text
    }),
  delivered: (id: string) =>
    until((event) => {
      return event.type === 'delivery' && event.id === id && event.delivery.state === 'delivered'
    }),
  texts: async (code: string) => {
    const history = (await (await messenger()).conversationWith(code)?.history()) ?? []
    return history.map(({ body }) => new TextDecoder().decode(body))
  },
  close: async () => {
    await client?.close()
  },
}

export type MessengerPage = typeof page
Object.assign(globalThis, { page })
