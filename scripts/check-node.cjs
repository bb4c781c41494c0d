'use strict'
// Refuses a plain `npm ci` under an old Node, which would leave out native packages without a word.
const { execFileSync } = require('child_process')
const fs = require('fs')
const path = require('path')

// The Node that runs npm; the one that runs this may already be the pinned one, just installed.
const npmNode = process.env.npm_node_execpath || process.execPath
const major = Number(execFileSync(npmNode, ['--version']).toString().slice(1).split('.')[0])

if (major < 24) {
  // Without this file the next `npm start` or `npm test` installs again, with the right Node.
  fs.rmSync(path.join(__dirname, '..', 'node_modules', '.package-lock.json'), { force: true })
  process.stderr.write(
    `Node ${major} is too old to install this project: run \`npx -y -p node@24 npm ci\`, or just \`npm start\`.\n`,
  )
  process.exit(1)
}
