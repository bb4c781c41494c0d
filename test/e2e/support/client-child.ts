/** The other side of {@link ClientProcess}. */
import { fileStore, Mainframe } from '@mainframe/sdk'
import type { Order, Report, Request } from './client-process.ts'

let client: Mainframe | undefined
let stopHandling = () => {}

process.on('message', async ({ number, order }: Request) => {
  try {
    report({ number, value: await obey(order) })
  } catch (error) {
    report({ number, error: error instanceof Error ? (error.stack ?? error.message) : `${error}` })
  }
})
// A test that ends without killing us leaves nothing behind.
process.once('disconnect', () => process.exit(0))

function report(message: Report): void {
  process.send?.(message)
}

async function obey(order: Order): Promise<unknown> {
  if (order.do === 'open') {
    const { network, account, inboxSecretKey, storeFolder } = order
    const store = fileStore(storeFolder)
    client = await Mainframe.open({ network, account, inboxSecretKey, store })
    return undefined
  }
  if (!client) throw new TypeError('The client is not open')
  switch (order.do) {
    case 'handle': {
      stopHandling()
      stopHandling = client.onMessage(async ({ id }) => {
        report({ received: id })
        if (order.mode === 'hang') await new Promise(() => {})
      })
      return undefined
    }
    case 'send': {
      const sent = await client.send(order.to, new TextEncoder().encode(order.text))
      await sent[order.until]
      return sent.messageId
    }
    case 'catch up':
      return await client.caughtUp
    case 'spending':
      return (await client.spending()).channels
  }
}
