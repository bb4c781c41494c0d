import { network } from 'hardhat'
import { OPERATIONS } from './gas/operations.ts'
import { createWorld } from './gas/world.ts'
const c = await network.create()
const world = await createWorld(c)
const send = await OPERATIONS[process.argv[2] as 'claim1'](world)
const r = await (await send()).wait()
const t = await c.provider.request({ method: 'debug_traceTransaction', params: [r!.hash, { disableStorage: true, disableMemory: true, disableStack: false }] }) as any
const logs = t.structLogs
let n = 0, out: string[] = []
const from = Number(process.argv[3]), to = Number(process.argv[4])
for (const l of logs) { if (l.op === 'STATICCALL' || l.op === 'CALL') n++; if (n >= from && n < to) out.push(l.op.startsWith('PUSH') ? `${l.op}<${l.depth>0?'':''}>` : l.op === 'JUMPDEST' ? `\n@${l.pc}` : l.op) }
console.log(out.join(' '))
process.exit(0)
