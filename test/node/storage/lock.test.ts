import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { errorCode } from '@mainframe/protocol'
import { lockFolder } from '../../../node/src/storage/lock.ts'

let folder = ''

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lock-'))
})
after(async () => {
  await rm(folder, { recursive: true })
})

describe('the lock of a data folder', () => {
  it('names the process that holds it, and falls to us when that process is killed', async () => {
    const script = new URL('./locking-child.ts', import.meta.url).pathname
    const child = spawn(process.execPath, [script, folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    await assert.rejects(lockFolder(folder), (error) => {
      assert.equal(errorCode(error), 'STORE_LOCKED')
      const sentence = `MainframeError: The data folder ${folder} is in use by process ${child.pid}`
      assert.equal(String(error), sentence)
      return true
    })
    child.kill('SIGKILL')
    await once(child, 'close')
    const lock = await lockFolder(folder)
    lock.release()
  })

  it('refuses the same process a second time, and not after a release', async () => {
    const lock = await lockFolder(folder)
    await assert.rejects(lockFolder(folder), (error) => errorCode(error) === 'STORE_LOCKED')
    lock.release()
    const again = await lockFolder(folder)
    again.release()
  })

  it('says that the folder is missing', async () => {
    await assert.rejects(
      lockFolder(join(folder, 'nowhere')),
      (error) => errorCode(error) === 'STORE_FAILED',
    )
  })
})
