// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

// solhint-disable no-inline-assembly

/// @title keccak256(abi.encode(...)) of a few words
/// @notice What the compiler makes of abi.encode allocates and bounds memory for every hash. These write behind the
/// free memory pointer and leave it where it was, which saves 0.1 to 0.2 k gas a hash (docs/contracts.md, Gas).
/// @dev Callers pass values clean of dirty upper bits, as every Solidity value that is converted to bytes32 is.
library Keccak {
  /// @notice An account as abi.encode has it.
  function word(address account) internal pure returns (bytes32) {
    return bytes32(uint256(uint160(account)));
  }

  function hash(bytes32 a, bytes32 b) internal pure returns (bytes32 value) {
    // two words fit the scratch space
    assembly ("memory-safe") {
      mstore(0x00, a)
      mstore(0x20, b)
      value := keccak256(0x00, 0x40)
    }
  }

  function hash(bytes32 a, bytes32 b, bytes32 c) internal pure returns (bytes32 value) {
    assembly ("memory-safe") {
      let free := mload(0x40)
      mstore(free, a)
      mstore(add(free, 0x20), b)
      mstore(add(free, 0x40), c)
      value := keccak256(free, 0x60)
    }
  }

  function hash(bytes32 a, bytes32 b, bytes32 c, bytes32 d) internal pure returns (bytes32 value) {
    assembly ("memory-safe") {
      let free := mload(0x40)
      mstore(free, a)
      mstore(add(free, 0x20), b)
      mstore(add(free, 0x40), c)
      mstore(add(free, 0x60), d)
      value := keccak256(free, 0x80)
    }
  }

  function hash(bytes32 a, bytes32 b, bytes32 c, bytes32 d, bytes32 e) internal pure returns (bytes32 value) {
    assembly ("memory-safe") {
      let free := mload(0x40)
      mstore(free, a)
      mstore(add(free, 0x20), b)
      mstore(add(free, 0x40), c)
      mstore(add(free, 0x60), d)
      mstore(add(free, 0x80), e)
      value := keccak256(free, 0xa0)
    }
  }
}
