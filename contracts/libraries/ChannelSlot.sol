// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IPaymentChannels} from "../interfaces/IPaymentChannels.sol";

/// @title The one storage word of a channel
/// @notice deposit in bits 0..95, claimed in 96..191, closesAt in 192..231, epoch in 232..255: the layout of
/// IPaymentChannels.Channel, taken apart by hand because a struct in memory costs a claim three times as much.
library ChannelSlot {
  uint256 private constant CLAIMED_AT = 96;
  uint256 private constant CLOSES_AT_AT = 192;
  uint256 private constant EPOCH_AT = 232;

  /// @notice The first word of epoch `epoch_` of a channel.
  function opened(uint256 deposit_, uint256 epoch_) internal pure returns (uint256) {
    return deposit_ | (epoch_ << EPOCH_AT);
  }

  /// @notice After a deposit of `amount`, which `ChannelMath.room` allows.
  function toppedUp(uint256 slot, uint256 amount) internal pure returns (uint256) {
    // deposit + amount < 2^96 does not carry into the next field
    unchecked {
      return slot + amount;
    }
  }

  /// @notice After a payment of `paid`, which `ChannelMath.due` allows.
  function paidOut(uint256 slot, uint256 paid) internal pure returns (uint256) {
    // claimed + paid <= deposit < 2^96 does not carry into the next field
    unchecked {
      return slot + (paid << CLAIMED_AT);
    }
  }

  /// @notice With a close requested for `closesAt_`, where none was.
  function closing(uint256 slot, uint256 closesAt_) internal pure returns (uint256) {
    return slot | (closesAt_ << CLOSES_AT_AT);
  }

  /// @notice With no close requested.
  function reopened(uint256 slot) internal pure returns (uint256) {
    return slot & ~(uint256(type(uint40).max) << CLOSES_AT_AT);
  }

  /// @notice Of a closed channel: the epoch alone stays, so the next one is another and the word is never zero again.
  function closed(uint256 slot) internal pure returns (uint256) {
    return (slot >> EPOCH_AT) << EPOCH_AT;
  }

  /// @notice Paid in within this epoch; zero: the channel is closed.
  function deposit(uint256 slot) internal pure returns (uint256) {
    return uint96(slot);
  }

  /// @notice Paid to the payee within this epoch.
  function claimed(uint256 slot) internal pure returns (uint256) {
    return uint96(slot >> CLAIMED_AT);
  }

  /// @notice When the payer may finalize; zero: no close was requested.
  function closesAt(uint256 slot) internal pure returns (uint256) {
    return uint40(slot >> CLOSES_AT_AT);
  }

  /// @notice How often the channel was opened.
  function epoch(uint256 slot) internal pure returns (uint256) {
    return slot >> EPOCH_AT;
  }

  /// @notice The word as the interface shows it.
  function unpack(uint256 slot) internal pure returns (IPaymentChannels.Channel memory) {
    return
      IPaymentChannels.Channel({
        deposit: uint96(slot),
        claimed: uint96(slot >> CLAIMED_AT),
        closesAt: uint40(slot >> CLOSES_AT_AT),
        epoch: uint24(slot >> EPOCH_AT)
      });
  }
}
