import { network } from 'hardhat'
import { measureGas } from '/work/main/bench/gas/measure.ts'
console.log(await measureGas(await network.create()))
