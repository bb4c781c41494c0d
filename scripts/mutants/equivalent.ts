/**
 * Mutants that no test can tell from the contracts, by id, each with the reason. They are run all the same: one
 * that a test kills does not belong here.
 */
export const EQUIVALENT: Record<string, string> = {
  'Vault._credit: if (amount != 0) always': 'Adding zero changes nothing; the condition saves gas.',
  'PaymentChannels._closeByPayee: if (refund != 0) always':
    'Adding zero changes nothing; the condition saves gas.',
  'Vault._pull: if (token == _mft) never':
    'MFT moves exactly its amount, so measuring what arrives finds the same; the condition saves gas.',
  'ChannelMath.due: amount < deposit -> amount <= deposit':
    'When both are equal, either of them is the smaller one.',
  'ChannelMath.due: covered > claimed -> covered >= claimed':
    'When both are equal, their difference is zero as well.',
  'PriceSchedule.set: announced && wanted <= next(self) -> wanted <= next(self)':
    'From nextFrom on the price in force is next, and only what is above that comes so far.',
  'PriceSchedule.set: time < nextFrom(self) -> time <= nextFrom(self)':
    'At nextFrom the price in force is next, and only what is above that comes so far.',
}
