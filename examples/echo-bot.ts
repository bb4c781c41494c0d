/** A bot that accepts everybody and says back what it hears; `docs/messenger.md` explains it. */
import { fileStore, Mainframe } from '@mainframe/sdk'

const client = await Mainframe.open({
  network: process.env['MAINFRAME_NETWORK'] ?? 'local', // a profile: `local`, a URL, or JSON
  account: process.env['MAINFRAME_ACCOUNT'] ?? '', // private key of an account that is used for this only
  store: fileStore(process.env['MAINFRAME_STORE'] ?? 'data/echo-bot'),
})
const messenger = await client.messenger()
console.log(messenger.code)

for await (const event of messenger.events()) {
  if (event.type === 'contact' && event.contact.state === 'asked') {
    await messenger.contacts.accept(event.contact.code)
  }
  if (event.type === 'message' && !event.message.isOwn && event.message.kind === 0) {
    const text = new TextDecoder().decode(event.message.body)
    await event.conversation.send(`You said: ${text}`)
  }
}
