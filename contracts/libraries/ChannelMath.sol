// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title The arithmetic of one channel
/// @notice Pure functions on the numbers of a channel, for which claimed <= deposit < 2^96 always holds: whatever `due`
/// allows, `claimed + due` keeps it.
library ChannelMath {
  /// @notice The most that can be added to a deposit.
  function room(uint256 deposit) internal pure returns (uint256) {
    // deposit < 2^96
    unchecked {
      return type(uint96).max - deposit;
    }
  }

  /// @notice What a voucher over the cumulative `amount` pays now: min(amount, deposit) - claimed, never below zero.
  function due(uint256 deposit, uint256 claimed, uint256 amount) internal pure returns (uint256) {
    uint256 covered = amount < deposit ? amount : deposit;
    // the only branch that subtracts has covered > claimed
    unchecked {
      return covered > claimed ? covered - claimed : 0;
    }
  }

  /// @notice What is left to the payer.
  function rest(uint256 deposit, uint256 claimed) internal pure returns (uint256) {
    // claimed <= deposit
    unchecked {
      return deposit - claimed;
    }
  }
}
