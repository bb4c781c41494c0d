/** A page of Debian's chromium that has the SDK, bundled as an application's build does it. */
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import puppeteer, { type Browser, type Page } from 'puppeteer-core'

const folders = (process.env['PATH'] ?? '').split(delimiter)
const chromium = folders.map((folder) => join(folder, 'chromium')).find((path) => existsSync(path))
/** Options of a suite that needs a browser. */
export const whenChromium = { skip: chromium ? false : 'no chromium on the PATH' } as const

/** The bundle of a file beside this one, as one module. */
export async function bundle(name: string): Promise<string> {
  const entry = fileURLToPath(new URL(name, import.meta.url))
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2024',
    write: false,
    logLevel: 'error',
  })
  return outputFiles[0]?.text ?? ''
}

/** Serves a page that loads this script. */
export async function servePage(script: string): Promise<{ url: string; stop(): Promise<void> }> {
  const server = createServer((request, response) => {
    const isScript = request.url === '/script.js'
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html')
    response.end(
      isScript ? script : '<!doctype html><script type="module" src="/script.js"></script>',
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  const { port } = server.address() as AddressInfo
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return { url: `http://127.0.0.1:${port}/`, stop }
}

/** `profile` is the folder in which the browser keeps what pages store. */
export async function launchBrowser(profile: string): Promise<Browser> {
  return await puppeteer.launch({
    executablePath: chromium as string,
    userDataDir: profile,
    // a container has no user namespaces to build a sandbox from
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  })
}

/** A page whose script has run. */
export async function openPage(browser: Browser, url: string): Promise<Page> {
  const page = await browser.newPage()
  await page.goto(url, { waitUntil: 'load' })
  return page
}
