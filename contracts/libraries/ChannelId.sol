// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

// solhint-disable no-inline-assembly

import {IPaymentChannels} from "../interfaces/IPaymentChannels.sol";
import {Keccak} from "./Keccak.sol";

/// @title The id of a channel
/// @notice keccak256(abi.encode(payer, payee, token, signer, notice)), made in the three ways in which these five come.
library ChannelId {
  /// @notice What a batch's rows share, and the two places that change from row to row; in memory as abi.encode has it.
  struct Key {
    address payer;
    address payee;
    address token;
    address signer;
    uint32 notice;
  }

  /// @notice The id of a key, hashed where it lies.
  function hash(Key memory key) internal pure returns (bytes32 id) {
    // what Solidity writes to memory has no dirty bits
    assembly ("memory-safe") {
      id := keccak256(key, 0xa0)
    }
  }

  /// @notice The id of the channel that `payer` has under these terms.
  /// @dev Words that are no proper addresses make an id under which no channel can be opened.
  function hash(address payer, IPaymentChannels.Terms calldata terms) internal pure returns (bytes32 id) {
    assembly ("memory-safe") {
      let free := mload(0x40)
      mstore(free, and(payer, 0xffffffffffffffffffffffffffffffffffffffff))
      calldatacopy(add(free, 0x20), terms, 0x80)
      id := keccak256(free, 0xa0)
    }
  }

  /// @notice The id from its five parts.
  function hash(
    address payer,
    address payee,
    address token,
    address signer,
    uint256 notice
  ) internal pure returns (bytes32) {
    return
      Keccak.hash(Keccak.word(payer), Keccak.word(payee), Keccak.word(token), Keccak.word(signer), bytes32(notice));
  }
}
