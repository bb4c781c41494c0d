import { decodeContactCode } from '@mainframe/protocol'
import encodeQR from 'qr'

/**
 * A contact code as a QR code in SVG, black on white with a quiet zone. In capitals, which QR codes
 * pack more tightly and contact codes allow. Throws `CODEC_INVALID`.
 */
export function contactQr(code: string): string {
  decodeContactCode(code)
  return encodeQR(code.toUpperCase(), 'svg', { ecc: 'medium', border: 4 })
}
