// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice A ledger of which the two tokens below differ in what their transfers return.
abstract contract Ledger {
  mapping(address owner => uint256 balance) public balanceOf;

  constructor() {
    balanceOf[msg.sender] = 1e30;
  }

  function approve(address, uint256) external pure returns (bool) {
    return true;
  }

  function _move(address from, address to, uint256 value) internal {
    balanceOf[from] -= value;
    balanceOf[to] += value;
  }
}

/// @notice Returns nothing, as the oldest tokens do.
contract NoReturnToken is Ledger {
  function transfer(address to, uint256 value) external {
    _move(msg.sender, to, value);
  }

  function transferFrom(address from, address to, uint256 value) external {
    _move(from, to, value);
  }
}

/// @notice Returns false and does nothing where others revert.
contract FalseReturnToken is Ledger {
  function transfer(address, uint256) external pure returns (bool) {
    return false;
  }

  function transferFrom(address, address, uint256) external pure returns (bool) {
    return false;
  }
}
