// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice The cheatcodes of Hardhat's Solidity tests that are used here.
interface Cheats {
  function addr(uint256 key) external pure returns (address);
  function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
  function prank(address caller) external;
  function deal(address account, uint256 balance) external;
  function warp(uint256 timestamp) external;
  function chainId(uint256 id) external;
}

/// @dev Where every Solidity test finds them: keccak256("hevm cheat code"), its last 20 bytes.
Cheats constant CHEATS = Cheats(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
