import { startTestNetwork } from '@mainframe/localnet/testing'
const network = await startTestNetwork({ relays: 6 })
const t0 = Date.now(); const say = (...a: unknown[]) => console.log(((Date.now() - t0) / 1000).toFixed(1), ...a)
const [a, b] = await Promise.all([network.open({ onBackgroundError: (e) => say('a err', e) }), network.open({ onBackgroundError: (e) => say('b err', e) })])
say('open')
const [ma, mb] = [await a.messenger(), await b.messenger()]
say('messengers')
for (const [n, m] of [['a', ma], ['b', mb]] as const) m.on((e) => say(n, e.type, 'contact' in e ? e.contact.state : '', 'delivery' in e ? JSON.stringify(e.delivery) : '', 'message' in e ? new TextDecoder().decode(e.message.body) : '', 'error' in e ? e.error : ''))
mb.on(async (e) => { if (e.type === 'contact' && e.contact.state === 'asked') await mb.contacts.accept(e.contact.code) })
ma.on((e) => { if (e.type === 'conversation') void e.conversation.send('hello') })
await ma.contacts.request(b.contactCode)
say('requested')
await new Promise((r) => setTimeout(r, 40000)); say([...ma.counts], [...mb.counts], [...(mb.conversations()[0]?.engine.counts ?? [])])
await network.stop()
