import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, mkdtemp, readFile, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { errorCode, type Hex } from '@mainframe/protocol'
import { openSignedLog } from '../../../node/src/payments/signed-log.ts'
import { openVoucherLog, type StoredVoucher } from '../../../node/src/payments/voucher-log.ts'

const CHANNEL: Hex = `0x${'ab'.repeat(32)}`
const OTHER: Hex = `0x${'cd'.repeat(32)}`

let folder = ''
let files = 0
const newPath = () => join(folder, `${files++}.log`)

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'latest-log-'))
})
after(async () => {
  await rm(folder, { recursive: true })
})

const signed = (amount: bigint, epoch = 1, channelId = CHANNEL) => ({ channelId, epoch, amount })

/** Opens a log, puts amounts, closes it, and answers what another opening finds. */
async function reopened(path: string, amounts: readonly ReturnType<typeof signed>[]) {
  const log = await openSignedLog(path)
  await Promise.all(amounts.map((amount) => log.put(amount)))
  await log.close()
  const again = await openSignedLog(path)
  const entries = [...again.entries.values()]
  await again.close()
  return entries
}

describe('a log of the latest amounts', () => {
  it('refuses a log of another kind', async () => {
    const path = newPath()
    await reopened(path, [signed(5n)])
    await assert.rejects(openVoucherLog(path), (error) => {
      assert.equal(errorCode(error), 'STORE_CORRUPT')
      assert.match(String(error), /holds something else at byte 20: it is another log's file/)
      return true
    })
    // the refusal leaves it as it was
    assert.deepEqual(await reopened(path, []), [signed(5n)])
  })

  it('never goes back, in amount or epoch, in whatever order it is written', async () => {
    assert.deepEqual(await reopened(newPath(), [signed(5n), signed(9n), signed(7n)]), [signed(9n)])
    const epochs = [signed(9n, 1), signed(2n, 2), signed(8n, 1), signed(1n, 2)]
    assert.deepEqual(await reopened(newPath(), epochs), [signed(2n, 2)])
    const channels = [signed(1n), signed(2n, 1, OTHER)]
    assert.deepEqual(await reopened(newPath(), channels), channels)
  })

  it('is rewritten when it has grown stale, and loses nothing', async () => {
    const path = newPath()
    const log = await openSignedLog(path)
    const puts = Array.from({ length: 20_000 }, (_, i) => log.put(signed(BigInt(i))))
    await Promise.all([...puts, log.put(signed(3n, 7, OTHER))])
    await log.close()
    const before = (await stat(path)).size
    const expected = [signed(19_999n), signed(3n, 7, OTHER)]
    assert.deepEqual(await reopened(path, []), expected)
    assert.ok((await stat(path)).size < 300, `${before} bytes before`)
    assert.deepEqual(await reopened(path, [signed(20_000n)]), [signed(20_000n), expected[1]])
  })

  it('stays small while it is written to for long, and loses nothing', async () => {
    const path = newPath()
    const log = await openSignedLog(path)
    let greatest = 0
    for (let round = 0; round < 60; round++) {
      const puts = Array.from({ length: 1_000 }, (_, i) =>
        log.put(signed(BigInt(round * 1_000 + i))),
      )
      await Promise.all([...puts, log.put(signed(BigInt(round), 7, OTHER))])
      assert.equal(log.entries.get(CHANNEL)?.amount, BigInt(round * 1_000 + 999))
      greatest = Math.max(greatest, (await stat(path)).size)
    }
    await log.close()
    assert.ok(greatest < 1.5 * 2 ** 20, `${greatest} bytes at most, of 3.6 MB written`)
    assert.deepEqual(await reopened(path, []), [signed(59_999n), signed(59n, 7, OTHER)])
  })

  it('takes no more when it cannot be rewritten, and keeps what it took', async () => {
    const path = newPath()
    const log = await openSignedLog(path)
    await mkdir(`${path}.compact`)
    await Promise.all(Array.from({ length: 20_000 }, (_, i) => log.put(signed(BigInt(i)))))
    await assert.rejects(log.put(signed(20_000n)), (error) => errorCode(error) === 'STORE_FAILED')
    await log.close()
    await rmdir(`${path}.compact`)
    assert.deepEqual(await reopened(path, []), [signed(19_999n)])
  })

  it('loses nothing it called durable when its process is killed while it is rewritten', async () => {
    for (const afterMs of [150, 300, 450]) {
      const path = newPath()
      const script = new URL('./putting-child.ts', import.meta.url).pathname
      const stdio: ['ignore', 'pipe', 'inherit'] = ['ignore', 'pipe', 'inherit']
      const child = spawn(process.execPath, [script, path], { stdio })
      let output = ''
      child.stdout.on('data', (chunk: Buffer) => {
        output += chunk
      })
      await once(child.stdout, 'data')
      await new Promise((resolve) => setTimeout(resolve, afterMs))
      child.kill('SIGKILL')
      await once(child, 'close')
      const acknowledged = BigInt(output.trimEnd().split('\n').at(-1) ?? '')
      const amounts = (await reopened(path, [])).map(({ amount }) => amount)
      assert.equal(amounts.length, 2)
      for (const amount of amounts) assert.ok(amount >= acknowledged, `${amount} ${acknowledged}`)
    }
  })

  it('refuses damage anywhere in a snapshot, even with nothing written behind it', async () => {
    const path = newPath()
    const log = await openSignedLog(path)
    await Promise.all(Array.from({ length: 20_000 }, (_, i) => log.put(signed(BigInt(i)))))
    await Promise.all([log.put(signed(7n, 1, OTHER)), log.close()])
    await reopened(path, [])
    const snapshot = await readFile(path)
    assert.ok(snapshot.length < 300, 'it was rewritten')
    for (let at = 20; at < 20 + 2 * 60; at++) {
      const bent = Buffer.from(snapshot)
      bent[at] = (bent[at] ?? 0) ^ 4
      await writeFile(path, bent)
      await assert.rejects(openSignedLog(path), (error) => errorCode(error) === 'STORE_CORRUPT')
    }
  })

  it('survives a crash while it is rewritten', async () => {
    const path = newPath()
    const expected = await reopened(path, [signed(5n), signed(3n, 7, OTHER)])
    await writeFile(`${path}.compact`, 'half of')
    assert.deepEqual(await reopened(path, []), expected)
    await copyFile(path, `${path}.compact`)
    assert.deepEqual(await reopened(path, []), expected)
  })

  it('gives back every field of a voucher', async () => {
    const voucher: StoredVoucher = {
      channelId: CHANNEL,
      epoch: 0xff_ffff,
      amount: (1n << 96n) - 1n,
      signature: Uint8Array.from({ length: 64 }, (_, i) => i),
      payer: `0x${'11'.repeat(20)}`,
      signer: `0x${'22'.repeat(20)}`,
      noticeSeconds: 2_592_000,
    }
    const path = newPath()
    const log = await openVoucherLog(path)
    await log.put(voucher)
    await log.close()
    const again = await openVoucherLog(path)
    assert.deepEqual([...again.entries.values()], [voucher])
    await again.close()
  })
})
