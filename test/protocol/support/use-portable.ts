/** `node --import` of this file makes the protocol compute with its portable primitives, as a browser does. */
import { registerHooks } from 'node:module'

registerHooks({
  resolve(specifier, context, nextResolve) {
    if (specifier !== '#primitives') return nextResolve(specifier, context)
    return nextResolve(
      new URL('../../../protocol/src/crypto/portable.ts', import.meta.url).href,
      context,
    )
  },
})
