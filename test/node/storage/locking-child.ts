/** Holds a data folder until it is killed. */
import { lockFolder } from '../../../node/src/storage/lock.ts'

await lockFolder(process.argv[2] ?? '')
process.stdout.write('locked\n')
setInterval(() => {}, 1000)
