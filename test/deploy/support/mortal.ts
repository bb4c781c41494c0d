/** A process that deploys and kills itself at the first point that it is not told to survive. */
import { deployContracts } from '../../../deploy/deploy.ts'
import { readNetwork } from '../../../deploy/networks.ts'
import { createHttpProvider } from '../../../deploy/provider.ts'

const [rpcUrl = '', deploymentDir = '', survived = ''] = process.argv.slice(2)
const chain = createHttpProvider(rpcUrl)
let sending = 0

/** Says where it dies, which standard output has before the signal arrives. */
function pass(point: string): void {
  if (survived.split(',').includes(point)) return
  process.stdout.write(point)
  process.kill(process.pid, 'SIGKILL')
}

await deployContracts({
  provider: {
    async request(call) {
      if (call.method !== 'eth_sendTransaction') return await chain.request(call)
      const [{ nonce }] = call.params as [{ nonce: string }]
      sending = Number(nonce)
      pass(`before sending ${sending}`)
      const answer = await chain.request(call)
      pass(`before the answer to ${sending}`)
      return answer
    },
  },
  deploymentDir,
  parameters: readNetwork('localhost').parameters,
  onProgress: ({ step, contract }) => pass(`${contract} ${step}`),
})
process.stdout.write('done')
