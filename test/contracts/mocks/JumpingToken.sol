// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice Says of every account the same balance, which jumps with every transfer as it was told, even down.
contract JumpingToken {
  uint256 private _balance;
  uint256 private _jump;

  function say(uint256 balance, uint256 jump) external {
    (_balance, _jump) = (balance, jump);
  }

  function transferFrom(address, address, uint256) external returns (bool) {
    unchecked {
      _balance += _jump;
    }
    return true;
  }

  function balanceOf(address) external view returns (uint256) {
    return _balance;
  }
}
