/** The network now: asked for once, and again whenever a live event says that something changed. */
import { drawRing } from './ring.js'

/** Many events come at once; people cannot read faster. */
const REDRAW_AFTER_MS = 250
const find = (id) => document.getElementById(id)
let relays = []
let chosen
let isDue = false

function make(name, text, attributes = {}) {
  const made = document.createElement(name)
  made.textContent = text
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  return made
}

const short = (hex) => `${hex.slice(0, 8)}…`
const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 })
/** Base units to MFT, for the eye. */
const mft = (base) => whole.format(Number(base) / 1e18)
const units = (base) => (base === null ? '–' : whole.format(Number(base) / 1e9))
const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString()

function say(text, isLost = false) {
  find('state').textContent = text
  find('state').classList.toggle('lost', isLost)
}

function choose(nodeId) {
  const relay = relays.find((one) => one.nodeId === nodeId)
  if (!relay) return
  chosen = nodeId
  for (const dot of document.querySelectorAll('#ring .relay')) {
    dot.classList.toggle('chosen', dot.dataset.node === nodeId)
  }
  find('chosen').textContent =
    `${short(relay.nodeId)} at ${short(relay.overlayAddress)}: ${mft(relay.stake)} MFT staked, ` +
    `route ${units(relay.route)}, hold ${units(relay.hold)}`
}

function drawFigures({ meta, activeRelays, users, luminosity, prices, topology }) {
  const { channels, stake } = topology
  const rows = [
    ['Relays', whole.format(activeRelays)],
    ['Users', whole.format(users)],
    ['Luminosity', `${luminosity} bits`],
    ['Route, median', units(prices.route.median)],
    ['Hold, median', units(prices.hold.median)],
    ['Staked, MFT', mft(stake)],
    ['Open channels', whole.format(channels.open)],
    ['Deposited, MFT', mft(channels.deposit)],
    ['Earned, MFT', mft(channels.claimed)],
    ['Block', whole.format(meta.block.number)],
  ]
  find('figures').replaceChildren(
    ...rows.map(([name, value]) => {
      const pair = document.createElement('div')
      pair.append(make('dt', name), make('dd', value))
      return pair
    }),
  )
}

function drawRelays() {
  const rows = relays.map((relay) => {
    const row = document.createElement('tr')
    const head = make('th', '', { scope: 'row' })
    const button = make('button', short(relay.nodeId), { type: 'button', title: relay.nodeId })
    button.addEventListener('click', () => choose(relay.nodeId))
    head.append(button)
    const cells = [units(relay.route), units(relay.hold), mft(relay.stake), mft(relay.claimed)]
    row.append(head, ...[...cells, String(relay.channels)].map((text) => make('td', text)))
    return row
  })
  find('relays').replaceChildren(...rows)
}

function drawBlocks({ blocks, dropped }) {
  const line = (number, hash, time) => {
    const item = document.createElement('li')
    item.append(make('span', `Block ${number}`), make('code', short(hash)))
    if (time !== undefined) item.append(make('span', clock(time)))
    return item
  }
  find('blocks').replaceChildren(...blocks.map((b) => line(b.number, b.hash, b.time)))
  const gone = dropped.map(({ number, hash }) => line(number, hash))
  for (const item of gone) item.className = 'gone'
  find('dropped').replaceChildren(...(gone.length > 0 ? gone : [make('li', 'None lately')]))
}

async function draw() {
  try {
    const response = await fetch('../v1/network?topology=true')
    const network = await response.json()
    if (!response.ok) throw new Error(network.detail)
    relays = network.topology.ring
    drawFigures(network)
    drawRing(find('ring'), relays, choose)
    drawRelays()
    choose(chosen)
    drawBlocks(network.topology)
    say(`Block ${network.meta.block.number}, ${clock(network.meta.block.time)}`)
  } catch (error) {
    say(`No answer: ${error.message}`, true)
  }
}

function drawSoon() {
  if (isDue) return
  isDue = true
  setTimeout(() => {
    isDue = false
    void draw()
  }, REDRAW_AFTER_MS)
}

const events = new EventSource('../v1/events')
for (const name of ['hello', 'reset', 'blocks', 'retraction'])
  events.addEventListener(name, drawSoon)
events.addEventListener('error', () => say('The connection is lost; trying again…', true))
