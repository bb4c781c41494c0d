// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title The continuity head of a contract's log
/// @notice One slot that moves with every event, so that whoever replays the log can prove that he has all of it.
library Continuity {
  /// @param seq Number of events so far.
  /// @param value The head after the last event; zero before the first.
  struct Head {
    uint64 seq;
    bytes24 value;
  }

  /// @notice Moves the head over one event, whose block number is part of what is hashed with its `data`.
  /// @return seq The event's number, from 1.
  /// @return value bytes24(keccak256(abi.encode(head, seq, kind, keccak256(data)))).
  function advance(Head storage self, uint8 kind, bytes memory data) internal returns (uint64 seq, bytes24 value) {
    Head memory head = self;
    // one event costs more than 2^14 gas: 2^64 of them cannot happen
    unchecked {
      seq = head.seq + 1;
    }
    value = bytes24(keccak256(abi.encode(head.value, seq, kind, keccak256(data))));
    self.seq = seq;
    self.value = value;
  }
}
