/** A chat in the terminal, over the network that `npm start` brings up: `npm run chat -- --as alice`. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { fileStore, localNetwork, Mainframe, type MessengerEvent } from '@mainframe/sdk'
import { openAccount } from './account.ts'
import { type Chat, lineOf, runLine, titleOf } from './commands.ts'
import { nameOf, openDirectory } from './directory.ts'

const USAGE = `Usage: npm run chat -- --as <name> [--network <file>] [--data <folder>]

  --as       who you are here: letters, digits and dashes; the same name is the same person
  --network  profile of the network; that of \`npm start\` unless given
  --data     where everybody's keys and messages are kept; data/chat unless given`
const NAME = /^[a-z0-9-]{1,32}$/i

const { as: name, network: file, data, help } = parse()
if (help || !name || !NAME.test(name)) {
  console.error(USAGE)
  process.exit(help ? 0 : 2)
}
await run(name, data).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error))
  process.exit(1)
})

function parse() {
  try {
    const options = {
      as: { type: 'string' },
      network: { type: 'string' },
      data: { type: 'string', default: 'data/chat' },
      help: { type: 'boolean', default: false },
    } as const
    return parseArgs({ options }).values
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`)
    process.exit(2)
  }
}

async function run(self: string, folder: string): Promise<void> {
  const own = join(folder, self)
  await mkdir(own, { recursive: true, mode: 0o700 })
  const network = await localNetwork(file)
  console.log('Connecting…')
  const client = await Mainframe.open({
    network,
    account: await openAccount(own, network),
    store: fileStore(join(own, 'store')),
    onBackgroundError: (error) => {
      console.error(error instanceof Error ? error.message : error)
    },
  })
  const messenger = await client.messenger()
  const directory = await openDirectory(folder, { name: self, code: messenger.code })
  const chat: Chat = {
    messenger,
    directory,
    current: messenger.conversations().find(({ ended }) => !ended),
    say: (line) => console.log(line),
  }
  messenger.on((event) => void tell(chat, event))
  chat.say(`You are ${self}, ${messenger.code}`)
  if (chat.current) chat.say(`You write to ${await titleOf(directory, chat.current)}.`)
  chat.say('/help lists what can be done.')
  for await (const line of createInterface({ input: process.stdin, terminal: false })) {
    if (line.trim() === '/quit') break
    if (line.trim() === '') continue
    await runLine(chat, line.trim()).catch((error: unknown) => {
      chat.say(error instanceof Error ? error.message : String(error))
    })
  }
  process.stdin.destroy() // an open pipe would keep the process alive
  await client.close()
}

async function tell(chat: Chat, event: MessengerEvent): Promise<void> {
  const { directory, say } = chat
  switch (event.type) {
    case 'contact': {
      const { code, state, introduction, isKeyChanged } = event.contact
      const who = await nameOf(directory, code)
      if (isKeyChanged)
        say(`${who} asks with another key than before: compare /safety ${who} first.`)
      if (state === 'asked') say(`${who} asks to talk: "${introduction}". /accept ${who}`)
      if (state === 'accepted') say(`${who} accepts.`)
      return
    }
    case 'conversation':
      chat.current = event.conversation
      return say(`You write to ${await titleOf(directory, event.conversation)} now.`)
    case 'invitation': {
      const { name: title, from } = event.invitation
      const number = chat.messenger.invitations().length
      return say(`${await nameOf(directory, from)} invites you to "${title}": /accept ${number}`)
    }
    case 'message': {
      if (event.message.isOwn || event.message.kind !== 0 || event.isAgain) return
      const where =
        event.conversation === chat.current
          ? ''
          : `[${await titleOf(directory, event.conversation)}] `
      return say(`${where}${await lineOf(chat, event.message)}`)
    }
    case 'recovering':
      if (event.count > 0) say(`${event.count} messages are being recovered.`)
      return
    case 'ended':
      return say(
        `${await titleOf(directory, event.conversation)} has ended for you: ${event.reason}.`,
      )
    default:
      return
  }
}
