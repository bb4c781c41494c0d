import { fileURLToPath } from 'node:url'

/** Compiled code of all processes; `npm ci` empties it with the rest of node_modules. */
export const COMPILE_CACHE_FOLDER = fileURLToPath(
  new URL('../../node_modules/.cache/mainframe', import.meta.url),
)
