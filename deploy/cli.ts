#!/usr/bin/env node
/** Entry of `npm run deploy`. */
import { main } from './main.ts'

// Hardhat keeps connections open a while; there is nothing to wait for
process.exit(await main(process.argv.slice(2)))
