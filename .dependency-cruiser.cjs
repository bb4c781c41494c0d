'use strict'
// The one arrow of imports (ARCHITECTURE.md): protocol at the bottom, localnet on top, tests above all.
const forbidden = (name, from, to, comment) => ({
  name,
  severity: 'error',
  comment,
  from: { path: from },
  to: { path: to },
})

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    forbidden('protocol-is-the-bottom', '^protocol/', '^(node|indexer|sdk|localnet|deploy|test|bench|scripts)/'),
    forbidden('protocol-does-no-io', '^protocol/', '^node:', 'protocol runs in browsers too'),
    forbidden('node-imports-protocol-only', '^node/', '^(indexer|sdk|localnet|deploy|test|bench|scripts)/'),
    forbidden('indexer-imports-protocol-only', '^indexer/', '^(node|sdk|localnet|deploy|test|bench|scripts)/'),
    forbidden('sdk-imports-protocol-only', '^sdk/', '^(node|indexer|localnet|deploy|test|bench|scripts)/'),
    forbidden(
      'deploy-is-below-localnet',
      '^deploy/',
      '^(node/(?!src/storage/)|indexer|sdk|localnet)/',
      'of the parts, deploying needs the protocol, and how files are kept',
    ),
    forbidden('localnet-is-not-tested-against', '^(localnet|deploy)/', '^(test|bench|scripts)/'),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['node', 'import', 'default'],
      // a package of types only has nothing else
      mainFields: ['module', 'main', 'types'],
    },
  },
}
