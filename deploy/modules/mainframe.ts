import { buildModule } from '@nomicfoundation/ignition-core'

const HOUR = 3_600
const DAY = 24 * HOUR

/**
 * The four contracts. The defaults are those of a public network; the treasury has none there, and is
 * the first account of the deployer's otherwise.
 */
export default buildModule('Mainframe', (m) => {
  const treasury = m.getParameter('treasury', m.getAccount(0))
  // 100,000 MFT: a price for an identity, not for a service
  const minimumStake = m.getParameter('minimumStake', 100_000n * 10n ** 18n)
  const unbondingPeriod = m.getParameter('unbondingPeriodSeconds', 14 * DAY)
  // longer than any packet's way: an onion's first layer lives 32 minutes
  const priceDelay = m.getParameter('priceDelaySeconds', HOUR)
  const minimumNotice = m.getParameter('minimumNoticeSeconds', HOUR)
  const maximumNotice = m.getParameter('maximumNoticeSeconds', 30 * DAY)

  const token = m.contract('MainframeToken', [treasury])
  const registry = m.contract('ServiceRegistry', [token, minimumStake, unbondingPeriod])
  const board = m.contract('PriceBoard', [registry, priceDelay])
  const channels = m.contract('PaymentChannels', [token, minimumNotice, maximumNotice])
  return { token, registry, board, channels }
})
