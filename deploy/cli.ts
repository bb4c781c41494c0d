#!/usr/bin/env node
/** Entry of `npm run deploy`. */
import { enableCompileCache } from 'node:module'
import { COMPILE_CACHE_FOLDER } from '../localnet/src/compile-cache.ts'

enableCompileCache(COMPILE_CACHE_FOLDER)
const { main } = await import('./main.ts')

// Hardhat keeps connections open a while; there is nothing to wait for
process.exit(await main(process.argv.slice(2)))
