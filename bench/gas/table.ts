/** What each operation may cost, and what the best public contracts cost for the same. */
import type { GasTable } from './measure.ts'
import type { OperationName } from './operations.ts'

interface Line {
  name: OperationName
  what: string
  /** The bar, in whole-transaction gas. */
  atMost?: number
  /** Rows that a further row's cost is reckoned over, from this operation's one-row form. */
  furtherOver?: { from: OperationName; rows: number; atMost?: number }
  /** Others, measured in one harness: same ERC20, cold slots, repeated operations, solc's IR where they allow it. */
  peers?: string
}

/** The lines of the table; peers' figures in thousands of gas. */
export const LINES: readonly Line[] = [
  {
    name: 'openErc20',
    what: 'open, ERC-20 with allowance',
    atMost: 68_500,
    peers:
      'Nitro 65.3 (a bare deposit), Tempo one-slot 67.9, Orchid 68.2, x402 78.0, HOPR 84, Raiden 131',
  },
  { name: 'openTransferAndCall', what: 'open, transferAndCall', atMost: 66_500 },
  { name: 'openNative', what: 'open, coin', atMost: 49_500 },
  { name: 'openFromVault1', what: 'open from the vault', atMost: 56_000 },
  {
    name: 'openFromVault10',
    what: 'open ten from the vault',
    furtherOver: { from: 'openFromVault1', rows: 9, atMost: 28_000 },
    peers: 'go-nitro batch 33 a channel',
  },
  {
    name: 'topUpErc20',
    what: 'top up, ERC-20',
    atMost: 50_000,
    peers: 'Nitro 48.3, Orchid 49.0, Tempo 51.1, x402 57.6',
  },
  { name: 'topUpTransferAndCall', what: 'top up, transferAndCall', atMost: 47_500 },
  { name: 'topUpNative', what: 'top up, coin', atMost: 31_000 },
  { name: 'topUpVault', what: 'top up from the vault', atMost: 37_000 },
  { name: 'claim1', what: 'claim one', atMost: 42_500, peers: 'x402 45.5, Orchid 68.7' },
  {
    name: 'claim10',
    what: 'claim ten',
    atMost: 169_000,
    furtherOver: { from: 'claim1', rows: 9, atMost: 14_100 },
    peers: 'x402 212; 18.6 a further row',
  },
  { name: 'claim50', what: 'claim fifty' },
  {
    name: 'claimTo1',
    what: 'claim one to the wallet',
    atMost: 54_500,
    peers: 'Tempo 54.9, x402 70.6',
  },
  {
    name: 'claimTo10',
    what: 'claim ten to the wallet',
    atMost: 182_000,
    peers: 'x402 238, Tempo 549',
  },
  { name: 'closeByPayee1', what: 'payee closes one', atMost: 52_000 },
  { name: 'closeByPayee10', what: 'payee closes ten', atMost: 215_000 },
  {
    name: 'closeByPayeeTo1',
    what: 'payee closes one to the wallet',
    atMost: 62_000,
    peers: 'Tempo 58.7 to 62.0, MicroRaiden 68.1, x402 112, Raiden 138',
  },
  {
    name: 'closeByPayeeTo1Empty',
    what: "the same, the payer's vault empty",
    atMost: 77_500,
  },
  { name: 'closeWithRelease', what: 'payer closes with a release' },
  { name: 'deposit', what: 'deposit into the vault' },
  {
    name: 'requestClose',
    what: 'request a close',
    atMost: 30_300,
  },
  { name: 'finalize', what: 'finalize into the vault' },
  { name: 'finalizeTo', what: 'finalize to the wallet', atMost: 46_500 },
  { name: 'withdraw', what: 'withdraw from the vault', atMost: 45_500, peers: 'x402 45.8' },
  { name: 'register', what: 'register a node', atMost: 125_000, peers: 'Raiden registry 469' },
  { name: 'update', what: 'update its record', atMost: 45_000, peers: 'Raiden registry 47' },
  { name: 'setPricesNew', what: 'set a new price', atMost: 60_000 },
  { name: 'setPricesUpdate', what: 'change a price', atMost: 43_000 },
  { name: 'transfer', what: 'transfer MFT' },
]

/** How the figures come about; printed under the table. */
export const METHOD = `\
Whole transactions (intrinsic gas, calldata and refunds included), each alone in its block, so that every account and
slot is cold; Hardhat's chain at the Cancun rules; fixed keys, amounts and payloads. Everything was used before: all
people hold MFT and have a vault in it, the contracts hold MFT and the coin, allowances are unlimited, and nothing that is
spent from is emptied. A channel that is opened is new (its slot is zero); one that is topped up, claimed from or closed
is open, with part of it claimed before. The rows of a batch are of different payers, who all have a vault. openErc20,
topUpErc20 and deposit are in MFT; of any other ERC-20 what arrives is measured by two more calls, for about 2 k more. claim
is called by somebody else than the payee. register and update carry 60 bytes of addresses and 100 of metadata; prices are
in MFT. The payer's vault is empty in closeByPayeeTo1Empty alone. The other contracts were measured in one harness of the
same kind: same ERC-20, cold slots, repeated operations, solc's IR where they allow it.`

const thousands = (gas: number) => (gas / 1_000).toFixed(1)

/** The figure that a line's second bar is about: what each further row of the batch costs. */
export function furtherRow(table: GasTable, { name, furtherOver }: Line): number | undefined {
  if (furtherOver === undefined) return undefined
  return Math.round((table[name] - table[furtherOver.from]) / furtherOver.rows)
}

/** Whether a line is within its bars. */
export function isWithin(table: GasTable, line: Line): boolean {
  const further = furtherRow(table, line)
  const most = line.furtherOver?.atMost
  if (further !== undefined && most !== undefined && further > most) return false
  return line.atMost === undefined || table[line.name] <= line.atMost
}

/** The table in Markdown, as docs/contracts.md has it; all in thousands of gas. */
export function renderTable(table: GasTable): string {
  const rows = LINES.map((line) => {
    const further = furtherRow(table, line)
    const gas = thousands(table[line.name])
    const bar = line.atMost === undefined ? '' : thousands(line.atMost)
    const most = line.furtherOver?.atMost
    const cells = [
      line.what,
      further === undefined ? gas : `${gas}; ${thousands(further)} a further row`,
      [bar, most === undefined ? '' : `${thousands(most)} a further row`]
        .filter(Boolean)
        .join('; '),
      line.peers ?? '',
    ]
    return `| ${cells.join(' | ')} |`
  })
  const exit = thousands(table.requestClose + table.finalizeTo)
  const others = 'Tempo 75.4, x402 101, HOPR 104, MicroRaiden 107, Nitro 183, Raiden 225'
  const whole = `| the payer's whole exit: requestClose and finalizeTo | ${exit} | 76.8 | ${others} |`
  return ['| operation | gas, k | at most | others |', '|---|---|---|---|', ...rows, whole].join(
    '\n',
  )
}
