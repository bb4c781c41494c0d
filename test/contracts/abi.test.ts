import { readFile } from 'node:fs/promises'
import { expect } from 'chai'
import { abiFile, abiSources, renderAbi } from '../../scripts/build-abi.ts'

describe('protocol/src/abi', () => {
  for (const source of abiSources) {
    it(`has the ABI of the compiled ${source.contract}`, async () => {
      const committed = await readFile(abiFile(source), 'utf8')
      expect(committed, 'run npm run build:abi').to.equal(await renderAbi(source))
    })
  }
})
