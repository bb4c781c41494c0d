// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Keccak} from "./Keccak.sol";

/// @title The continuity head of a contract's log
/// @notice One word that moves with every event, so that whoever replays the log can prove that he has all of it: the
/// number of events so far, seq, in bits 0..63, and in bits 64..255 the head after the last of them; zero before the
/// first.
library Continuity {
  /// @notice The word after one more event: seq' = seq + 1, and
  /// head' = bytes24(keccak256(abi.encode(head, seq', kind, keccak256(data)))).
  /// @param dataHash keccak256(data); the number of its block is part of every event's data.
  function next(bytes32 word, uint8 kind, bytes32 dataHash) internal pure returns (bytes32) {
    (uint64 seq, bytes24 head) = split(word);
    // an event costs more than 2^10 gas: there will never be 2^64 of them
    unchecked {
      seq += 1;
    }
    head = bytes24(Keccak.hash(head, bytes32(uint256(seq)), bytes32(uint256(kind)), dataHash));
    return bytes32(head) | bytes32(uint256(seq));
  }

  /// @notice The two parts of a word.
  function split(bytes32 word) internal pure returns (uint64 seq, bytes24 head) {
    return (uint64(uint256(word)), bytes24(word));
  }
}
