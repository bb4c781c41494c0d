/** How much a page has to fetch for the client. */
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { type BuildOptions, build } from 'esbuild'

export interface BundleFigures {
  /** All of `sdk/src/index.ts` in one file, minified and compressed, in kB of 1,000 bytes. */
  bundleKbGz: number
  /** What is fetched before a messenger is wanted: without MLS and conversations. */
  bundleStartKbGz: number
}

/** Not counted: an application that has them already need not fetch them again. */
const EXTERNAL = ['libp2p', '@libp2p/*', '@multiformats/*', 'ethers']
const ENTRY = fileURLToPath(new URL('../../sdk/src/index.ts', import.meta.url))

export async function benchBundle(): Promise<BundleFigures> {
  return { bundleKbGz: kbGz([await bundled()]), bundleStartKbGz: kbGz(await firstChunks()) }
}

const COMMON = {
  entryPoints: [ENTRY],
  bundle: true,
  minify: true,
  write: false as const,
  format: 'esm' as const,
  platform: 'browser' as const,
  target: 'es2024',
  external: EXTERNAL,
  logLevel: 'error' as const,
} satisfies BuildOptions

async function bundled(): Promise<Uint8Array> {
  const { outputFiles } = await build(COMMON)
  const [file] = outputFiles
  if (!file) throw new TypeError('There is one file')
  return file.contents
}

/** The entry, and what it imports before it runs. */
async function firstChunks(): Promise<Uint8Array[]> {
  const split = { splitting: true, outdir: 'out', metafile: true as const, absWorkingDir: '/' }
  const { outputFiles, metafile } = await build({ ...COMMON, ...split })
  const entry = Object.keys(metafile.outputs).find((path) => path.endsWith('/index.js'))
  if (!entry) throw new TypeError('There is an entry')
  const paths = new Set([entry])
  for (const path of paths) {
    const { imports = [] } = metafile.outputs[path] ?? {}
    for (const { kind, path, external } of imports) {
      if (kind === 'import-statement' && !external) paths.add(path)
    }
  }
  return outputFiles.filter(({ path }) => paths.has(path.slice(1))).map(({ contents }) => contents)
}

function kbGz(files: readonly Uint8Array[]): number {
  if (files.length === 0) throw new TypeError('Something was bundled')
  return files.reduce((sum, file) => sum + gzipSync(file, { level: 9 }).length, 0) / 1_000
}
