/**
 * Faults that no operator makes: each a change of the text, whose old lines must be there exactly once. A
 * change of the contracts that moves such lines has to move them here too.
 */
export interface Handmade {
  name: string
  file: string
  /** Line by line, without indentation. */
  old: string[]
  new: string[]
}

export const HANDMADE: Handmade[] = [
  {
    name: 'Vault.withdraw: pays before it debits',
    file: 'contracts/Vault.sol',
    old: [
      'uint256 balance = _debit(token, amount);',
      'emit Withdrawn(msg.sender, token, to, balance);',
      '_pay(token, to, amount);',
    ],
    new: [
      '_pay(token, to, amount);',
      'uint256 balance = _debit(token, amount);',
      'emit Withdrawn(msg.sender, token, to, balance);',
    ],
  },
  {
    name: 'Vault._pull: credits what was asked for, not what arrived',
    file: 'contracts/Vault.sol',
    old: ['return IERC20(token).balanceOf(address(this)) - before;'],
    new: ['return amount;'],
  },
  {
    name: 'Vault._pull: credits a wrapped difference when the balance fell',
    file: 'contracts/Vault.sol',
    old: ['return IERC20(token).balanceOf(address(this)) - before;'],
    new: ['unchecked { return IERC20(token).balanceOf(address(this)) - before; }'],
  },
  {
    name: 'Vault._pull: believes a token that answers false',
    file: 'contracts/Vault.sol',
    old: [
      'uint256 before = IERC20(token).balanceOf(address(this));',
      'IERC20(token).safeTransferFrom(msg.sender, address(this), amount);',
    ],
    new: [
      'uint256 before = IERC20(token).balanceOf(address(this));',
      'IERC20(token).transferFrom(msg.sender, address(this), amount);',
    ],
  },
  {
    name: 'Vault._pay: believes a token that answers false',
    file: 'contracts/Vault.sol',
    old: ['IERC20(token).safeTransfer(to, amount);'],
    new: ['IERC20(token).transfer(to, amount);'],
  },
  {
    name: 'Vault._credit: wraps',
    file: 'contracts/Vault.sol',
    old: ['if (amount != 0) _vault[token][owner].amount += amount;'],
    new: ['unchecked { _vault[token][owner].amount += amount; }'],
  },
  {
    name: 'Vault._deposit: wraps',
    file: 'contracts/Vault.sol',
    old: ['uint256 balance = vault.amount + received;'],
    new: ['uint256 balance; unchecked { balance = vault.amount + received; }'],
  },
  {
    name: 'PaymentChannels._fund: the last epoch is followed by the first',
    file: 'contracts/PaymentChannels.sol',
    old: ['epoch = uint24(epoch) + 1;'],
    new: ['unchecked { epoch = uint24(epoch) + 1; }'],
  },
  {
    name: 'ServiceRegistry._addStake: wraps',
    file: 'contracts/ServiceRegistry.sol',
    old: ['uint96 stake = node.stake + amount;'],
    new: ['uint96 stake; unchecked { stake = node.stake + amount; }'],
  },
]
