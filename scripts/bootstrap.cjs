'use strict'
// Runs before `npm start` and `npm test`, under whatever Node the machine has: plain JavaScript that
// Node 12 can read. When the dependencies are missing or older than the lockfile, they are installed
// with the Node that this project pins, because native parts are chosen by the installing Node.
const { spawnSync } = require('child_process')
const fs = require('fs')
const path = require('path')

const root = path.join(__dirname, '..')
const lockfile = path.join(root, 'package-lock.json')
const installed = path.join(root, 'node_modules', '.package-lock.json')
const pinnedNode = path.join(root, 'node_modules', '.bin', 'node')
const nodeVersion = require('../package.json').devDependencies.node

function isCurrent() {
  if (!fs.existsSync(installed) || !fs.existsSync(pinnedNode)) return false
  return fs.statSync(installed).mtimeMs >= fs.statSync(lockfile).mtimeMs
}

if (!isCurrent()) {
  process.stderr.write(
    `Installing the dependencies with Node ${nodeVersion} (npm ci); this takes a minute, once.\n`,
  )
  const args = ['-y', '-p', `node@${nodeVersion}`, 'npm', 'ci', '--no-audit', '--no-fund']
  // npm's own output goes to stderr: stdout belongs to the command that follows.
  const result = spawnSync('npx', args, { cwd: root, stdio: ['ignore', 2, 2] })
  if (result.status !== 0) {
    process.stderr.write('The dependencies could not be installed; see the npm message above.\n')
    process.exit(1)
  }
  const now = new Date()
  fs.utimesSync(installed, now, now)
}
