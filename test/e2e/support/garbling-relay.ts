/**
 * Preloaded into a relay's process: between two SIGUSR2 it changes a byte of every packet that it
 * passes on, by turns one that its peer checks (version or luminosity) and one that only the
 * recipient can. Everything else is the real relay.
 */
import { randomInt } from 'node:crypto'
import { PayerLink, type Shipment } from '@mainframe/protocol'

const CHECKED_BYTES = 3
const HEADER_BYTES = 39
/** Within the shortest sealed layer, so that no change falls into the padding. */
const SEALED_BYTES = 1_600

const enqueue = PayerLink.prototype.enqueue
let garbles = false
let passedOn = 0
process.on('SIGUSR2', () => {
  garbles = !garbles
})

PayerLink.prototype.enqueue = function (shipment: Shipment) {
  if (!garbles) return enqueue.call(this, shipment)
  passedOn += 1
  const packet = shipment.packet.slice()
  const at = passedOn % 2 ? randomInt(CHECKED_BYTES) : HEADER_BYTES + randomInt(SEALED_BYTES)
  packet[at] = (packet[at] ?? 0) ^ randomInt(1, 256)
  return enqueue.call(this, { ...shipment, packet })
}
