// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ChannelMath} from "../contracts/libraries/ChannelMath.sol";

/// @title One channel, reduced to its numbers
/// @notice What PaymentChannels does with one channel, action by action and in the same order, on the arithmetic that
/// ships. Everything else is left out: who calls, tokens, signatures, other channels, and the packing of the slot. Any
/// amount may be called at any time by anybody, which is more than the contract allows. `npm run prove` has solc prove what
/// the properties beside this file assert, for every sequence of calls.
abstract contract OneChannel {
  uint256 internal immutable _notice;

  uint256 internal _deposit;
  uint256 internal _claimed;
  uint256 internal _closesAt;
  uint256 internal _epoch;

  /// @dev Ghosts: the largest amount signed or released in this epoch, and all money by the place where it is.
  uint256 internal _agreed;
  uint256 internal _cameIn;
  uint256 internal _payersVault;
  uint256 internal _payeesVault;
  uint256 internal _wentOut;
  /// @dev Ghosts: whether the payer wishes to close, and since when.
  bool internal _requested;
  uint256 internal _requestedAt;

  constructor(uint32 notice) {
    _notice = notice;
  }

  /// @notice The signer signs a voucher.
  function sign(uint96 amount) external {
    if (amount > _agreed) _agreed = amount;
  }

  function deposit(uint96 amount) external {
    _cameIn += amount;
    _payersVault += amount;
  }

  function withdraw(uint256 payers, uint256 payees) external {
    require(payers <= _payersVault && payees <= _payeesVault);
    _payersVault -= payers;
    _payeesVault -= payees;
    _wentOut += payers;
    _wentOut += payees;
  }

  /// @notice Opens or tops up, from the payer's vault.
  function fund(uint256 amount) external {
    bool fresh = _deposit == 0;
    uint256 epoch = _epoch;
    if (fresh) {
      require(epoch < type(uint24).max);
      epoch += 1;
    } else {
      require(_closesAt == 0);
    }
    require(amount != 0);
    require(amount <= ChannelMath.room(_deposit));
    require(amount <= _payersVault);
    _payersVault -= amount;
    _moves(_deposit + amount, _claimed, epoch);
    if (fresh) _agreed = 0;
    _deposit += amount;
    _epoch = epoch;
  }

  function claim(uint96 amount) external {
    require(_deposit != 0);
    require(amount <= _agreed);
    uint256 paid = ChannelMath.due(_deposit, _claimed, amount);
    _moves(_deposit, _claimed + paid, _epoch);
    _claimed += paid;
    _payeesVault += paid;
  }

  function closeByPayee(uint96 amount) external {
    require(_deposit != 0);
    uint256 paid = ChannelMath.due(_deposit, _claimed, amount);
    require(paid == 0 || amount <= _agreed);
    _close(paid);
  }

  function closeWithRelease(uint96 finalAmount) external {
    require(_deposit != 0);
    require(finalAmount <= _deposit);
    if (finalAmount > _agreed) _agreed = finalAmount;
    _close(ChannelMath.due(_deposit, _claimed, finalAmount));
  }

  function requestClose() external {
    require(_deposit != 0);
    require(_closesAt == 0);
    // a time fits 40 bits for the next 30,000 years
    require(block.timestamp < type(uint40).max - type(uint32).max);
    _closesAt = block.timestamp + _notice;
    (_requested, _requestedAt) = (true, block.timestamp);
  }

  function cancelClose() external {
    require(_deposit != 0);
    require(_closesAt != 0);
    _closesAt = 0;
    _requested = false;
  }

  function finalize() external {
    require(_deposit != 0);
    require(_closesAt != 0);
    require(block.timestamp >= _closesAt);
    _finalizes();
    _close(0);
  }

  function _close(uint256 paid) private {
    uint256 claimed = _claimed + paid;
    uint256 refund = ChannelMath.rest(_deposit, claimed);
    _closes(claimed);
    _payeesVault += paid;
    _payersVault += refund;
    _moves(0, 0, _epoch);
    (_deposit, _claimed, _closesAt) = (0, 0, 0);
    _requested = false;
  }

  /// @dev Where a property looks at the numbers as they will be.
  function _moves(uint256 deposit_, uint256 claimed, uint256 epoch) internal virtual {}

  /// @dev Where a property looks at what a close pays in all.
  function _closes(uint256 claimed) internal virtual {}

  /// @dev Where a property looks at a refund that nobody agreed to.
  function _finalizes() internal virtual {}
}
