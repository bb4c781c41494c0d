/** Vectors of addresses, contact codes, prices, luminosity and the chain's log (PROTOCOL.md §1, §2, §6). */
import {
  advanceHead,
  type BoardEvent,
  compareDistance,
  destinationFee,
  discloseAddress,
  encodeContactCode,
  GENESIS_HEAD,
  inboxAddress,
  mostPerPrefix,
  type NodeRecord,
  networkLuminosity,
  postageTable,
  type RegistryEvent,
  recordHash,
  relayAddress,
  roundDownPostage,
  roundUpPostage,
  sharedBits,
  toHex,
} from '@mainframe/protocol'
import { bech32m } from '@scure/base'
import { fixed, fixedAccount, fixedBytes, fixedKeyPair } from './material.ts'

export function addresses() {
  const target = fixed('address')
  const others = Array.from({ length: 8 }, (_, i) => fixed(`relay ${i}`))
  const twins = [0, 1, 7, 8, 100, 255].map((bit) => {
    const twin = target.slice()
    twin[bit >> 3] = (twin[bit >> 3] ?? 0) ^ (0x80 >> (bit & 7))
    return twin
  })
  const { publicKey } = fixedKeyPair('inbox')
  const [nodeId, seedBlockHash] = [fixed('node id'), fixed('block hash')]
  return {
    about: 'Addresses and their geometry (PROTOCOL.md §1.3)',
    relay: { nodeId, seedBlockHash, address: relayAddress(nodeId, seedBlockHash) },
    inbox: { publicKey, address: inboxAddress(publicKey) },
    sharedBits: [...twins, target].map((other) => ({
      a: target,
      b: other,
      bits: sharedBits(target, other),
    })),
    disclosed: [0, 1, 5, 8, 13, 128, 256].map((bits) => ({
      address: target,
      bits,
      disclosed: discloseAddress(target, bits),
    })),
    byDistance: {
      target,
      addresses: others,
      closestFirst: others.toSorted((a, b) => compareDistance(target, a, b)),
    },
  }
}

export function contactCodes() {
  const keys = [
    new Uint8Array(32),
    ...['inbox', 'other inbox'].map((label) => fixedKeyPair(label).publicKey),
  ]
  const codes = keys.map((publicKey) => ({ publicKey, code: encodeContactCode(publicKey) }))
  const code = codes[1]?.code ?? ''
  const versioned = (version: number, length: number) =>
    bech32m.encode(
      'mf',
      bech32m.toWords(Uint8Array.of(version, ...fixedBytes('code', length))),
      false,
    )
  const refused = {
    'a wrong last character': code.slice(0, -1) + (code.endsWith('q') ? 'p' : 'q'),
    'a missing character': code.slice(0, -1),
    'another prefix': bech32m.encodeFromBytes('bc', new Uint8Array(33)),
    'a short key': bech32m.encodeFromBytes('mf', new Uint8Array(32)),
    'a later version': versioned(1, 32),
    'a later version with a longer key': versioned(1, 600),
  }
  return { about: 'Contact codes (PROTOCOL.md §1.3): bech32m, version 0', codes, refused }
}

export function luminosity() {
  const pairs = [
    [0, 0],
    [95, 1_000_000],
    [96, 63],
    [96, 64],
    [191, 1_000_000],
    [192, 127],
    [192, 128],
    [1000, 10_000],
    [50_000, 1_000_000],
  ] as const
  const all = Array.from({ length: 64 }, (_, i) => fixed(`relay ${i}`))
  return {
    about:
      'Luminosity of the network (PROTOCOL.md §1.4), and the most of these addresses that share a prefix',
    cases: pairs.map(([relays, users]) => ({
      relays,
      users,
      luminosity: networkLuminosity(relays, users),
    })),
    addresses: all,
    mostPerPrefix: [0, 1, 2, 3, 4, 8].map((bits) => ({ bits, most: mostPerPrefix(all, bits) })),
  }
}

export function postage() {
  const amounts = [
    0,
    1,
    15,
    16,
    31,
    32,
    33,
    63,
    64,
    1000,
    1023,
    1024,
    1025,
    123_456_789,
    2 ** 49 - 1,
    2 ** 53 - 1,
  ]
  const inputs = [
    {
      relays: [80, 100, 120].map((routeUnits) => ({ routeUnits, holdUnitsPerHour: 10 })),
      destinations: 8,
      luminosity: 0,
    },
    { relays: [{ routeUnits: 1, holdUnitsPerHour: 1 }], destinations: 1, luminosity: 0 },
    {
      relays: [7, 3, 9, 5].map((price) => ({
        routeUnits: 1000 * price,
        holdUnitsPerHour: 11 * price,
      })),
      destinations: 71,
      luminosity: 3,
    },
    { relays: [{ routeUnits: 1000, holdUnitsPerHour: 25 }], destinations: 96, luminosity: 11 },
  ]
  const prices = { routeUnits: 1000, holdUnitsPerHour: 25 }
  const header = { address: new Uint8Array(32), expiryMinutes: 29_500_060 }
  return {
    about:
      'Fees, the grid of amounts and postage tables (PROTOCOL.md §2); a row has 0, 1, 2, 3 layers left',
    rounding: amounts.map((amount) => ({
      amount,
      down: roundDownPostage(amount),
      up: roundUpPostage(Math.min(amount, 2 ** 52)),
    })),
    fees: [0, 128, 256].flatMap((bits) =>
      [29_500_060, 29_500_059, 29_500_000, 29_499_999].map((nowMinutes) => ({
        ...prices,
        luminosity: bits,
        expiryMinutes: header.expiryMinutes,
        nowMinutes,
        fee: destinationFee(prices, { ...header, luminosity: bits }, nowMinutes),
      })),
    ),
    tables: inputs.map((input) => ({ ...input, table: postageTable(input) })),
  }
}

export function continuity() {
  const record: NodeRecord = {
    manager: toHex(fixedAccount('manager')),
    payee: toHex(fixedAccount('payee')),
    sealKey: toHex(fixedKeyPair('hop 1').publicKey),
    multiaddrs: toHex(fixedBytes('multiaddrs', 40)),
    metadata: '0x',
  }
  const place = {
    blockHash: toHex(fixed('block')),
    transactionHash: toHex(fixed('transaction')),
    logIndex: 0,
  }
  const common = { ...place, nodeId: toHex(fixed('node id')), seq: 0n, head: GENESIS_HEAD.head }
  const row = {
    service: toHex(fixed('service')),
    token: toHex(fixedAccount('token')),
    price: 5n,
    next: 2n ** 96n - 1n,
    nextFrom: 1_800_000_000,
    unit: 1,
    active: true,
  }
  const account = toHex(fixedAccount('operator'))
  const events: (RegistryEvent | BoardEvent)[] = [
    {
      ...{
        ...common,
        type: 'Registered',
        blockNumber: 10,
        operator: account,
        record,
        stake: 10n ** 18n,
      },
      nodeKey: toHex(fixed('node key')),
      signature: toHex(fixedBytes('signature', 64)),
    },
    { ...common, type: 'Updated', blockNumber: 11, record: { ...record, metadata: '0x01' } },
    { ...common, type: 'StakeAdded', blockNumber: 11, stake: 2n * 10n ** 18n },
    { ...common, type: 'PriceSet', blockNumber: 12, row },
    { ...common, type: 'UnstakeBegun', blockNumber: 13, unlockAt: 1_800_000_000 },
    { ...common, type: 'StakeWithdrawn', blockNumber: 14, to: account, amount: 2n * 10n ** 18n },
  ]
  let head = GENESIS_HEAD
  return {
    about:
      'The head of a verifiable log after each event (docs/contracts.md), as if one contract emitted all',
    recordHash: recordHash(record),
    events: events.map(({ seq: _, head: __, ...event }) => {
      head = advanceHead(head, { ...event, ...head } as RegistryEvent | BoardEvent)
      return { ...event, after: head }
    }),
  }
}
