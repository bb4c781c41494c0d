/** Entry of `npm start`. */
import { enableCompileCache } from 'node:module'
import { COMPILE_CACHE_FOLDER } from './compile-cache.ts'

// Before anything else is loaded: every process that we start runs much the same code, and so
// compiles it only once, on this run and the next.
enableCompileCache(COMPILE_CACHE_FOLDER)
const { main } = await import('./main.ts')

process.exitCode = await main(process.argv.slice(2))
