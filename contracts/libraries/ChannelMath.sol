// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IPaymentChannels} from "../interfaces/IPaymentChannels.sol";

/// @title The arithmetic of one channel
/// @notice Pure functions from a channel and an amount to the channel after it. They keep, for every channel they return,
/// claimed <= deposit, and closed channels all zero but for their epoch.
library ChannelMath {
  /// @notice Adds to the deposit; a closed channel opens in the next epoch.
  /// @dev Reverts by overflow check when deposit or epoch leaves its type. Callers refuse an amount of zero.
  function fund(
    IPaymentChannels.Channel memory channel,
    uint96 amount
  ) internal pure returns (IPaymentChannels.Channel memory) {
    if (channel.deposit == 0) channel.epoch += 1;
    channel.deposit += amount;
    return channel;
  }

  /// @notice What a voucher over the cumulative `amount` pays now: min(amount, deposit) - claimed, never below zero.
  function due(IPaymentChannels.Channel memory channel, uint96 amount) internal pure returns (uint96) {
    uint96 covered = amount < channel.deposit ? amount : channel.deposit;
    // covered > claimed in the only branch that subtracts
    unchecked {
      return covered > channel.claimed ? covered - channel.claimed : 0;
    }
  }

  /// @notice Pays out `paid`, which is what `due` said.
  function pay(
    IPaymentChannels.Channel memory channel,
    uint96 paid
  ) internal pure returns (IPaymentChannels.Channel memory) {
    // paid = due(..) <= deposit - claimed
    unchecked {
      channel.claimed += paid;
    }
    return channel;
  }

  /// @notice What is left to the payer: deposit - claimed.
  function rest(IPaymentChannels.Channel memory channel) internal pure returns (uint96) {
    // claimed <= deposit always
    unchecked {
      return channel.deposit - channel.claimed;
    }
  }

  /// @notice The channel after its close: only the epoch stays, so the slot is never zero again.
  function close(
    IPaymentChannels.Channel memory channel
  ) internal pure returns (IPaymentChannels.Channel memory) {
    return IPaymentChannels.Channel({deposit: 0, claimed: 0, closesAt: 0, epoch: channel.epoch});
  }
}
