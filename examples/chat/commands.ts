/** What can be typed in the chat. */
import type { Conversation, Messenger } from '@mainframe/sdk'
import { type Directory, nameOf } from './directory.ts'

export interface Chat {
  messenger: Messenger
  directory: Directory
  /** Where a line without a command goes. */
  current: Conversation | undefined
  say(line: string): void
}

interface Command {
  usage: string
  does: string
  run(chat: Chat, words: string[]): Promise<void> | void
}

const COMMANDS: Record<string, Command> = {
  add: {
    usage: '/add <code or name> [introduction]',
    does: 'ask somebody to be a contact',
    run: async ({ messenger, directory, say }, [who = '', ...words]) => {
      const code = await directory.codeOf(who)
      await messenger.contacts.request(code, { introduction: words.join(' ') })
      say(`Asked ${await nameOf(directory, code)}. You can write once they accept.`)
    },
  },
  accept: {
    usage: '/accept <code or name>',
    does: 'take a request, or an invitation by its number',
    run: async (chat, [who = '']) => {
      const { messenger, directory, say } = chat
      const invitation = messenger.invitations()[Number(who) - 1]
      if (invitation) {
        await messenger.acceptInvitation(invitation.id)
        say(`Accepted. The group "${invitation.name}" opens when a member lets you in.`)
        return
      }
      const { code } = await messenger.contacts.accept(await directory.codeOf(who))
      chat.current = messenger.conversationWith(code)
      say(`You talk to ${await nameOf(directory, code)} now.`)
    },
  },
  refuse: {
    usage: '/refuse <code or name>',
    does: 'forget a request; they are told nothing',
    run: async ({ messenger, directory, say }, [who = '']) => {
      await messenger.contacts.refuse(await directory.codeOf(who))
      say('Forgotten.')
    },
  },
  block: {
    usage: '/block <code or name>',
    does: 'drop whatever they send from now on',
    run: async ({ messenger, directory, say }, [who = '']) => {
      await messenger.contacts.block(await directory.codeOf(who))
      say('Blocked.')
    },
  },
  contacts: {
    usage: '/contacts',
    does: 'contacts, requests and invitations',
    run: async ({ messenger, directory, say }) => {
      for (const { code, state, introduction } of messenger.contacts.list()) {
        say(`${await nameOf(directory, code)}: ${state}${introduction && `, "${introduction}"`}`)
      }
      messenger.invitations().forEach(({ name }, i) => {
        say(`${i + 1}. invitation to "${name}"`)
      })
    },
  },
  talks: {
    usage: '/talks',
    does: 'conversations, with numbers for /to',
    run: async ({ messenger, directory, current, say }) => {
      for (const [i, talk] of messenger.conversations().entries()) {
        const mark = talk === current ? '*' : ' '
        say(`${mark} ${i + 1}. ${await titleOf(directory, talk)}${talk.ended ? ' (ended)' : ''}`)
      }
    },
  },
  to: {
    usage: '/to <number>',
    does: 'write into another conversation',
    run: async (chat, [number = '']) => {
      const talk = chat.messenger.conversations()[Number(number) - 1]
      if (!talk) return chat.say('There is no such conversation; /talks lists them.')
      chat.current = talk
      chat.say(`You write to ${await titleOf(chat.directory, talk)} now.`)
    },
  },
  group: {
    usage: '/group <name>',
    does: 'begin a group; then /invite contacts',
    run: async (chat, words) => {
      chat.current = await chat.messenger.createGroup(words.join(' ') || 'group')
      chat.say(`The group "${chat.current.name}" is there.`)
    },
  },
  invite: {
    usage: '/invite <code or name>',
    does: 'offer a contact a place in this group',
    run: async ({ messenger, directory, current, say }, [who = '']) => {
      if (!current) return say('Choose a group first, with /talks and /to.')
      await messenger.invite(current, await directory.codeOf(who))
      say('Invited.')
    },
  },
  history: {
    usage: '/history',
    does: 'the last fifty messages here',
    run: async (chat) => {
      for (const message of (await chat.current?.history()) ?? []) {
        if (message.kind === 0) chat.say(await lineOf(chat, message))
      }
    },
  },
  safety: {
    usage: '/safety <code or name>',
    does: 'sixty digits to compare with theirs, over the telephone',
    run: async ({ messenger, directory, say }, [who = '']) => {
      say(messenger.contacts.safetyNumber(await directory.codeOf(who)))
    },
  },
  leave: {
    usage: '/leave',
    does: 'leave this conversation',
    run: async ({ current }) => current?.leave(),
  },
}

const HELP = [
  ...Object.values(COMMANDS).map(({ usage, does }) => `${usage.padEnd(36)}${does}`),
  `${'/quit'.padEnd(36)}end; everything is kept`,
  'Anything else is sent to whom you write to; what begins with // with one of them.',
]

/** Runs a line; errors are for the caller. */
export async function runLine(chat: Chat, line: string): Promise<void> {
  if (!line.startsWith('/') || line.startsWith('//')) {
    if (chat.current) await chat.current.send(line.replace(/^\/\//, '/'))
    else chat.say('Nobody hears you yet: /add somebody, or /help.')
    return
  }
  const [name = '', ...words] = line.slice(1).split(/\s+/)
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (command) await command.run(chat, words)
  else if (name === 'help') for (const help of HELP) chat.say(help)
  else chat.say(`There is no /${name}; /help lists what there is, and //${name} sends "/${name}".`)
}

/** How a conversation is called here. */
export async function titleOf(directory: Directory, talk: Conversation): Promise<string> {
  return talk.peer ? await nameOf(directory, talk.peer) : `"${talk.name}"`
}

/** A message as it is shown. */
export async function lineOf(
  { directory }: Pick<Chat, 'directory'>,
  message: { sender: Uint8Array; body: Uint8Array },
): Promise<string> {
  const who = await directory.nameOfKey(message.sender)
  return `${who}: ${new TextDecoder().decode(message.body)}`
}
