import { network } from 'hardhat'
import { OPERATIONS } from './gas/operations.ts'
import { createWorld } from './gas/world.ts'
const c = await network.create()
const world = await createWorld(c)
const snap = await c.networkHelpers.takeSnapshot()
for (const name of process.argv.slice(2)) {
  const send = await OPERATIONS[name as 'claim1'](world)
  const r = await (await send()).wait()
  const tx = await c.ethers.provider.getTransaction(r!.hash)
  const data = c.ethers.getBytes(tx!.data)
  const intrinsic = 21000 + data.reduce((s, b) => s + (b ? 16 : 4), 0)
  const t = await c.provider.request({ method: 'debug_traceTransaction', params: [r!.hash, { disableStorage: true, disableMemory: true }] }) as any
  const logs = t.structLogs
  console.log(name, 'total', Number(r!.gasUsed), 'intrinsic', intrinsic, 'exec', Number(r!.gasUsed) - intrinsic)
  // frames: split by depth change
  let frame: any = null
  const HEAVY = new Set(['SLOAD','SSTORE','LOG0','LOG1','LOG2','LOG3','LOG4','TLOAD','TSTORE','CALL','STATICCALL'])
  const seg: any[] = []
  for (let i = 0; i < logs.length; i++) {
    const l = logs[i], nx = logs[i + 1]
    if (!frame || frame.depth !== l.depth) { frame = { depth: l.depth, heavy: [], light: 0, n: 0 }; seg.push(frame) }
    let cost = l.gasCost
    if ((l.op === 'CALL' || l.op === 'STATICCALL')) { cost = nx && nx.depth > l.depth ? l.gas - nx.gas - 0 : (nx ? l.gas - nx.gas : cost); cost = nx && nx.depth > l.depth ? -1 : cost }
    if (HEAVY.has(l.op)) frame.heavy.push(`${l.op}:${cost}`); else { frame.light += cost; frame.n++ }
  }
  for (const f of seg) console.log('  depth', f.depth, 'light', f.light, 'ops', f.n, f.heavy.join(' '))
  await snap.restore()
}
process.exit(0)
