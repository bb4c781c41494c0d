/** Entry of `npm start`. */
import { enableCompileCache } from 'node:module'
import { COMPILE_CACHE_FOLDER } from './compile-cache.ts'

// Before anything else is loaded: every process that we start runs much the same code, and so
// compiles it only once, on this run and the next.
enableCompileCache(COMPILE_CACHE_FOLDER)
const { INTERRUPTED, main } = await import('./main.ts')

const code = await main(process.argv.slice(2))
// What an interrupted story still waits for must not hold us.
if (code === INTERRUPTED) process.exit(code)
process.exitCode = code
