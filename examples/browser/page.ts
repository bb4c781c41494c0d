/// <reference lib="dom" />
/** A messenger in a page: asks, accepts whoever asks, talks. `docs/messenger.md` explains it. */
import { indexedDbStore, Mainframe, type MessengerEvent } from '@mainframe/sdk'

const name = new URLSearchParams(location.search).get('as') ?? 'alice'
const answer = await fetch(`/config?as=${encodeURIComponent(name)}`)
const { network, account } = await answer.json()
const client = await Mainframe.open({ network, account, store: indexedDbStore(name) })
const messenger = await client.messenger()
element('code').textContent = messenger.code
messenger.on((event) => void onEvent(event).catch(tell))

onSubmit('ask', 'peer', async (code) => {
  const contact = messenger.contacts.get(code)
  if (contact?.state === 'accepted') return tell('You can talk.')
  await messenger.contacts.request(code, { introduction: `It is ${name}` })
  tell('Asked; waiting to be accepted.')
})
onSubmit('say', 'text', async (text) => {
  const conversation = messenger.conversationWith(input('peer').value.trim())
  if (!conversation) return tell('Ask somebody first, and wait to be accepted.')
  await conversation.send(text)
  tell(`you: ${text}`)
  input('text').value = ''
})

async function onEvent(event: MessengerEvent): Promise<void> {
  if (event.type === 'trouble') tell(event.error)
  if (event.type === 'contact' && event.contact.state === 'accepted') tell('Accepted; talk.')
  if (event.type === 'contact' && event.contact.state === 'asked') {
    const { code, introduction } = event.contact
    if (!confirm(`Somebody asks to be your contact: ${introduction}`)) return
    await messenger.contacts.accept(code)
    input('peer').value = code
  }
  if (event.type === 'message' && !event.message.isOwn && event.message.kind === 0) {
    tell(`they: ${new TextDecoder().decode(event.message.body)}`)
  }
}

/** Calls back with what was typed. */
function onSubmit(form: string, field: string, run: (value: string) => Promise<void>): void {
  element(form).addEventListener('submit', (event) => {
    event.preventDefault()
    const value = input(field).value.trim()
    if (value) void run(value).catch(tell)
  })
}

/** As text: what others write is never markup. */
function tell(what: unknown): void {
  const line = document.createElement('li')
  line.textContent = what instanceof Error ? what.message : String(what)
  element('log').append(line)
}

function element(id: string): HTMLElement {
  const found = document.getElementById(id)
  if (found) return found
  throw new TypeError(`The page has no #${id}`)
}

function input(id: string): HTMLInputElement {
  return element(id) as HTMLInputElement
}
