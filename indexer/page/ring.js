/** Draws relays on a ring: the angle is the overlay address, the size the stake. */
const SVG = 'http://www.w3.org/2000/svg'
const RADIUS = 100

function element(name, attributes, text) {
  const made = document.createElementNS(SVG, name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value))
  if (text !== undefined) made.textContent = text
  return made
}

/** Where an address stands: a part of a turn from its upper 48 bits, clockwise from the top. */
export function placeOf(overlayAddress) {
  const turn = Number.parseInt(overlayAddress.slice(2, 14), 16) / 2 ** 48
  const angle = 2 * Math.PI * turn
  return { x: RADIUS * Math.sin(angle), y: -RADIUS * Math.cos(angle) }
}

/** Fills `svg`; `choose` is told the id of a dot that is pointed at. */
export function drawRing(svg, relays, choose) {
  const most = Math.max(1, ...relays.map(({ stake }) => Number(stake)))
  const dots = relays.map((relay) => {
    const { x, y } = placeOf(relay.overlayAddress)
    const size = 2 + 4 * Math.sqrt(Number(relay.stake) / most)
    const dot = element('circle', { class: 'relay', cx: x.toFixed(2), cy: y.toFixed(2), r: size })
    dot.dataset.node = relay.nodeId
    dot.append(element('title', {}, relay.nodeId))
    dot.addEventListener('pointerenter', () => choose(relay.nodeId))
    dot.addEventListener('click', () => choose(relay.nodeId))
    return dot
  })
  const labels = [
    ['0x0…', 0, -110, 'middle'],
    ['0x4…', 109, 3, 'start'],
    ['0x8…', 0, 116, 'middle'],
    ['0xc…', -109, 3, 'end'],
  ].map(([text, x, y, anchor]) => element('text', { x, y, 'text-anchor': anchor }, text))
  svg.setAttribute('aria-label', `${relays.length} relays on a ring; the table lists them`)
  svg.replaceChildren(element('circle', { class: 'track', r: RADIUS }), ...labels, ...dots)
}
