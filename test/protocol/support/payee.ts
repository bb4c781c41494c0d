/** A relay's side of a link as far as a payer sees it: credit, debits, acknowledgements. */
import {
  type Ack,
  type ByteStream,
  type Credit,
  type CreditOutcome,
  decodeCredit,
  encodeAck,
  encodeFrame,
  encodeHello,
  type Frame,
  FrameWriter,
  type PacketRefusal,
  readFrames,
} from '@mainframe/protocol'

/** The body of an ACK that says nothing but what is given. */
export function ackBody(ack: Partial<Ack>): Uint8Array {
  const nothing = { processed: 0, spentUnits: 0, durableUnits: 0, creditSequence: 0 }
  return encodeAck({ ...nothing, credit: 'accepted', refused: [], ...ack })
}

/** How a payee behaves; every default is honest. */
export interface PayeeManners {
  maxWindowUnits: number
  ratePerUnit: bigint
  /** Totals to begin with, as after an earlier link. */
  durableUnits?: number
  spentUnits?: number
  refuse?: (sequence: number) => PacketRefusal | undefined
  judge?: (credit: Credit) => CreditOutcome
  /** Changes an ACK before it leaves. */
  distort?: (ack: Ack) => Ack
  /** False: reads everything, acknowledges nothing. */
  acknowledges?: boolean
}

/** Everything that a payee saw, and what it would be owed. */
export interface Payee {
  readonly frames: Frame[]
  readonly credits: Credit[]
  readonly packets: number
  /** Packets that were not covered by durable credit when they came. */
  readonly unpaid: number
  /** The most that was ever prepaid and unspent. */
  readonly mostPrepaid: number
  readonly spentUnits: number
  readonly durableUnits: number
  send(frame: Uint8Array): void
}

/** Runs an in-test payee on one end of a stream. */
export function startPayee(stream: ByteStream, manners: PayeeManners): Payee {
  const payee = new TestPayee(stream, manners)
  void payee.run()
  return payee
}

class TestPayee implements Payee {
  readonly frames: Frame[] = []
  readonly credits: Credit[] = []
  packets = 0
  unpaid = 0
  mostPrepaid = 0
  spentUnits: number
  durableUnits: number
  #creditSequence = 0
  #outcome: CreditOutcome = 'accepted'
  #processed = 0
  #refused: { sequence: number; reason: PacketRefusal }[] = []
  readonly #stream: ByteStream
  readonly #writer: FrameWriter
  readonly #manners: PayeeManners

  constructor(stream: ByteStream, manners: PayeeManners) {
    this.#stream = stream
    this.#manners = manners
    this.#writer = new FrameWriter(stream)
    this.spentUnits = manners.spentUnits ?? 0
    this.durableUnits = manners.durableUnits ?? 0
  }

  send(frame: Uint8Array): void {
    this.#writer.write(frame)
  }

  async run(): Promise<void> {
    try {
      for await (const frames of readFrames(this.#stream)) {
        for (const frame of frames) if (frame) this.#take(frame)
        if (this.#manners.acknowledges !== false) this.#acknowledge()
      }
    } catch {
      // the payer cut the stream
    }
  }

  #take(frame: Frame): void {
    this.frames.push(frame)
    if (frame.type === 'hello') {
      const hello = { version: 1, chainId: 7, channels: new Uint8Array(20) }
      const body = encodeHello({ ...hello, signedQuotes: [] })
      this.send(encodeFrame({ type: 'hello', body }))
    }
    if (frame.type === 'credit') this.#takeCredit(frame)
    if (frame.type === 'packet') this.#takePacket(frame)
  }

  #takeCredit({ body, sequence }: Frame): void {
    const credit = decodeCredit(body)
    if (!credit) return
    this.credits.push(credit)
    this.#creditSequence = sequence
    const units = Number(credit.amount / this.#manners.ratePerUnit)
    this.#outcome = this.#manners.judge?.(credit) ?? this.#judge(units)
    if (this.#outcome === 'accepted') this.durableUnits = units
    this.mostPrepaid = Math.max(this.mostPrepaid, this.durableUnits - this.spentUnits)
  }

  #judge(units: number): CreditOutcome {
    if (units <= this.durableUnits) return 'not-greater'
    return units - this.spentUnits > this.#manners.maxWindowUnits ? 'over-window' : 'accepted'
  }

  #takePacket({ sequence, postageUnits }: Frame): void {
    this.packets += 1
    this.#processed = sequence
    const reason = this.#manners.refuse?.(sequence)
    if (reason) this.#refused.push({ sequence, reason })
    else if (this.durableUnits - this.spentUnits < postageUnits) this.unpaid += 1
    else this.spentUnits += postageUnits
  }

  #acknowledge(): void {
    const ack: Ack = {
      processed: this.#processed,
      spentUnits: this.spentUnits,
      durableUnits: this.durableUnits,
      creditSequence: this.#creditSequence,
      credit: this.#outcome,
      refused: this.#refused,
    }
    this.#refused = []
    this.send(encodeFrame({ type: 'ack', body: encodeAck(this.#manners.distort?.(ack) ?? ack) }))
  }
}
