import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startTestNetwork, type TestNetwork } from '@mainframe/localnet/testing'
import { decodeContactCode } from '@mainframe/protocol'
import { whenLong } from '../helpers/long.ts'
import { assertAlike, Person } from './support/person.ts'
import { until, within } from './support/waiting.ts'

/** `GROUP_SIZE=20` takes some minutes. */
const GROUP_SIZE = Number(process.env['GROUP_SIZE'] ?? 5)
const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** An example as a process, and what it printed. */
class Example {
  readonly #child: ChildProcess
  readonly ended: Promise<unknown>
  output = ''

  constructor(args: readonly string[], env: Record<string, string> = {}) {
    this.#child = spawn(process.execPath, args, { cwd: ROOT, env: { ...process.env, ...env } })
    const take = (text: string) => {
      this.output += text
    }
    this.#child.stdout?.setEncoding('utf8').on('data', take)
    this.#child.stderr?.setEncoding('utf8').on('data', take)
    this.ended = once(this.#child, 'exit').then(([code]) => code)
    process.once('exit', () => this.#child.kill('SIGKILL'))
  }

  type(line: string): void {
    this.#child.stdin?.write(`${line}\n`)
  }

  async prints(text: string): Promise<void> {
    await until(`"${text}" is printed, in\n${this.output}`, () => this.output.includes(text))
  }

  /** Ctrl-C. */
  interrupt(): void {
    this.#child.kill('SIGINT')
  }

  /** What a power cut does. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.ended
  }
}

describe('Private conversations on a network', () => {
  let network: TestNetwork
  let folder: string
  let profile: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mainframe-messenger-'))
    network = await startTestNetwork({ relays: 6 })
    profile = join(folder, 'network.json')
    await writeFile(profile, JSON.stringify({ version: 1, ...network.network }))
  })
  after(async () => {
    await network?.stop()
    await rm(folder, { recursive: true })
  })

  function chat(name: string): Example {
    const flags = ['--as', name, '--network', profile, '--data', join(folder, 'chat')]
    return new Example(['examples/chat/main.ts', ...flags])
  }

  it('are held with a bot that accepts everybody', async () => {
    const bot = new Example(['examples/echo-bot.ts'], {
      MAINFRAME_NETWORK: JSON.stringify({ version: 1, ...network.network }),
      MAINFRAME_ACCOUNT: await network.createAccount(),
      BOT_FOLDER: join(folder, 'bot'),
    })
    await bot.prints('mf1')
    const messenger = await (await network.open()).messenger()
    const events = messenger.events()
    const code = bot.output.trim()
    await messenger.contacts.request(code, { introduction: 'A stranger' })
    const heard: string[] = []
    await within(
      'the bot answers',
      (async () => {
        for await (const event of events) {
          if (event.type === 'conversation') await event.conversation.send('hello')
          if (event.type !== 'message' || event.message.isOwn) continue
          heard.push(new TextDecoder().decode(event.message.body))
          break
        }
      })(),
    )
    assert.deepEqual(heard, ['You said: hello'])
    bot.interrupt()
    assert.equal(await bot.ended, 0)
  })

  it('bring a file of 1 MiB, byte for byte', whenLong, async () => {
    const env = async (name: string) => ({
      MAINFRAME_NETWORK: JSON.stringify({ version: 1, ...network.network }),
      MAINFRAME_ACCOUNT: await network.createAccount(),
      FILES_FOLDER: join(folder, name),
    })
    const path = join(folder, 'picture.raw')
    const bytes = randomBytes(1_048_576)
    await writeFile(path, bytes)
    const inbox = join(folder, 'received')
    const receiver = new Example(['examples/files.ts', 'receive', inbox], await env('receiver'))
    await receiver.prints('mf1')
    const code = receiver.output.trim()
    const sender = new Example(['examples/files.ts', 'send', code, path], await env('sender'))
    await receiver.prints('1048576 bytes')
    await sender.prints('picture.raw has arrived')
    assert.equal(await sender.ended, 0)
    assert.ok(bytes.equals(await readFile(join(inbox, 'picture.raw'))))
    receiver.interrupt()
    assert.equal(await receiver.ended, 0)
  })

  it('are held in terminals, by two and by three, and go on after one was killed', async () => {
    const alice = chat('alice')
    let bob = chat('bob')
    const carol = chat('carol')
    for (const person of [alice, bob, carol]) await person.prints('/help lists')
    alice.type('/add bob Hello')
    await bob.prints('alice asks to talk: "Hello"')
    bob.type('/accept alice')
    await alice.prints('bob accepts')
    alice.type('hi bob')
    await bob.prints('alice: hi bob')

    await bob.kill()
    alice.type('are you there?')
    bob = chat('bob')
    await bob.prints('alice: are you there?')
    bob.type('yes, again')
    await alice.prints('bob: yes, again')

    carol.type('/add alice It is Carol')
    await alice.prints('carol asks to talk')
    alice.type('/accept carol')
    await carol.prints('alice accepts')
    alice.type('/group choir')
    await alice.prints('The group "choir" is there')
    for (const [name, person] of [
      ['bob', bob],
      ['carol', carol],
    ] as const) {
      alice.type(`/invite ${name}`)
      await person.prints('alice invites you to "choir"')
      person.type('/accept 1')
      await person.prints('You write to "choir" now')
    }
    alice.type('la la la')
    await bob.prints('alice: la la la')
    await carol.prints('alice: la la la')
    carol.type('lower, please')
    await alice.prints('carol: lower, please')
    await bob.prints('carol: lower, please')
    for (const person of [alice, bob, carol]) person.type('/quit')
    assert.deepEqual(await Promise.all([alice.ended, bob.ended, carol.ended]), [0, 0, 0])
  })

  describe(`of a group of ${GROUP_SIZE}`, { skip: whenLong.skip }, () => {
    const people: Person[] = []
    before(async () => {
      for (let i = 0; i < GROUP_SIZE; i++) {
        const person = new Person(network, `person ${i}`, await network.createAccount())
        people.push(await person.open())
      }
    })

    it('grows while somebody talks, and everybody hears what was said since they came', async () => {
      const [founder, ...others] = people as [Person, ...Person[]]
      await Promise.all(
        others.map((each) => founder.messenger.contacts.request(each.messenger.code)),
      )
      const group = await founder.messenger.createGroup('choir')
      for (const each of others) {
        const { code } = each.messenger
        await until(`${each.name} is a contact`, () => !!founder.messenger.conversationWith(code))
        await founder.messenger.invite(group, code)
        await founder.say(`${each.name} is coming`)
      }
      await until('everybody is there', () =>
        people.every((p) => p.group?.members().length === GROUP_SIZE),
      )
      await Promise.all(people.map((person) => person.say(`${person.name} is here`)))
      await assertAlike(
        people,
        people.map(({ name }) => `${name} is here`),
      )
    })

    it('loses a member who hears nothing more, and one who is off line finds all when back', async () => {
      const [founder, second] = people as [Person, Person]
      const [gone, away] = [people.at(-1), people.at(-2)] as [Person, Person]
      const rest = people.slice(0, -1)
      await away.close()
      await second.say('before the change')
      await assertAlike([founder, second, gone], ['before the change'])
      await founder.group?.remove(decodeContactCode(gone.messenger.code))
      await second.say('in the middle of it')
      await until('it is removed', () => gone.group?.ended === 'removed')
      await until('the others know', () => second.group?.members().length === GROUP_SIZE - 1)
      await second.say('among ourselves')
      await founder.say('indeed')
      await away.open()
      await assertAlike(rest, [
        'before the change',
        'in the middle of it',
        'among ourselves',
        'indeed',
      ])
      assert.equal((await gone.heard()).includes('among ourselves'), false)
      people.pop()
    })

    it('goes on when its founder is gone, by another admin, and everybody after a restart', async () => {
      const [founder, second, third] = people as [Person, Person, Person]
      const key = decodeContactCode(second.messenger.code)
      await founder.group?.setRole(key, 'admin')
      const isAdmin = () =>
        second.group?.members().some((m) => `${m.inboxKey}` === `${key}` && m.role === 'admin')
      await until('there is another admin', () => isAdmin() === true)
      await founder.close()
      await third.say('who is left?')
      await second.group?.remove(decodeContactCode(founder.messenger.code))
      const rest = people.slice(1)
      await until('the founder is no member', () => rest.every((each) => !each.isMember(founder)))
      for (const person of rest) await person.close()
      await Promise.all(rest.map((person) => person.open()))
      await third.say('we are')
      await assertAlike(rest, ['who is left?', 'we are'])
    })
  })
})
