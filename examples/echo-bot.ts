import { fileStore, Mainframe } from '@mainframe/sdk'

const {
  MAINFRAME_NETWORK = 'local',
  MAINFRAME_ACCOUNT = '',
  BOT_FOLDER = 'data/echo-bot',
} = process.env
const client = await Mainframe.open({
  network: MAINFRAME_NETWORK, // `local` for `npm start` on this machine, a URL, or JSON
  account: MAINFRAME_ACCOUNT, // private key of an account that is used for this only
  store: fileStore(BOT_FOLDER),
})
const messenger = await client.messenger()
console.log(messenger.code) // mf1…: what others ask with
process.once('SIGINT', () => void client.close()) // ends the loop below; everything is kept

for await (const event of messenger.events()) {
  // a known contact with another key is for people to look at: compare safety numbers first
  if (event.type === 'contact' && event.contact.state === 'asked' && !event.contact.isKeyChanged) {
    await messenger.contacts.accept(event.contact.code)
  }
  if (event.type === 'message' && !event.message.isOwn && event.message.kind === 0) {
    const text = new TextDecoder().decode(event.message.body)
    await event.conversation.send(`You said: ${text}`)
  }
}
