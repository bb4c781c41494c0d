import type { ContractRole } from '@mainframe/protocol'

/** The contract that plays each role, by its name in `contracts/`. */
export const CONTRACTS = {
  token: 'MainframeToken',
  registry: 'ServiceRegistry',
  board: 'PriceBoard',
  channels: 'PaymentChannels',
} as const satisfies Record<ContractRole, string>
