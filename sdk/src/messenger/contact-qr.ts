import { decodeContactCode } from '@mainframe/protocol'
import { correction, generate, mode } from 'lean-qr'

/** Modules of white around it, which readers want (ISO 18004). */
const BORDER = 4

/**
 * A contact code as a QR code in SVG, black on white with a quiet zone. In capitals, which QR codes
 * pack more tightly and contact codes allow. Throws `CODEC_INVALID`.
 */
export function contactQr(code: string): string {
  decodeContactCode(code)
  const minCorrectionLevel = correction.M
  const drawing = generate.with(mode.alphaNumeric)(code.toUpperCase(), { minCorrectionLevel })
  const side = drawing.size + 2 * BORDER
  const rows = Array.from({ length: drawing.size }, (_, y) => y)
  const path = rows.flatMap((y) =>
    rows.flatMap((x) => (drawing.get(x, y) ? `M${x + BORDER} ${y + BORDER}h1v1h-1z` : [])),
  )
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${side} ${side}">` +
    `<path fill="#fff" d="M0 0h${side}v${side}H0z"/><path d="${path.join('')}"/></svg>`
  )
}
