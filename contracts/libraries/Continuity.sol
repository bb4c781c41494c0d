// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title The continuity head of a contract's log
/// @notice One slot that moves with every event, so that whoever replays the log can prove that he has all of it.
library Continuity {
  /// @param word The number of events so far in bits 0..63, and the head after the last of them in bits 64..255; zero
  /// before the first.
  struct Head {
    uint256 word;
  }

  /// @notice Moves the head over one event, whose block number is part of what is hashed with its `data`.
  /// @return seq The event's number, from 1.
  /// @return value bytes24(keccak256(abi.encode(head, seq, kind, keccak256(data)))).
  function advance(Head storage self, uint8 kind, bytes memory data) internal returns (uint64 seq, bytes24 value) {
    (seq, value) = read(self);
    // an event costs more than 2^14 gas: there will never be 2^64 of them
    unchecked {
      seq += 1;
    }
    value = bytes24(keccak256(abi.encode(value, seq, kind, keccak256(data))));
    self.word = uint256(bytes32(value)) | seq;
  }

  /// @notice The number of events so far, and the head after the last.
  function read(Head storage self) internal view returns (uint64 seq, bytes24 value) {
    uint256 word = self.word;
    return (uint64(word), bytes24(bytes32(word)));
  }
}
