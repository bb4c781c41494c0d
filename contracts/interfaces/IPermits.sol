// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title What functions take instead of an allowance
/// @dev An interface, because Hardhat's node refuses the build of a file without any contract.
interface IPermits {
  /// @notice An ERC-2612 permit of the caller for the called contract; its value is the amount of the call.
  /// @dev A permit that somebody else has already submitted is no error: the allowance it gave is used.
  struct Permit {
    uint256 deadline;
    uint8 v;
    bytes32 r;
    bytes32 s;
  }
}
