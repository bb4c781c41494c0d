// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice All balances shrink at once, without a transfer.
contract RebasingToken {
  uint256 private _percent = 100;
  mapping(address owner => uint256 share) private _shares;

  constructor() {
    _shares[msg.sender] = 1e30;
  }

  function shrinkTo(uint256 percent) external {
    _percent = percent;
  }

  function approve(address, uint256) external pure returns (bool) {
    return true;
  }

  function transfer(address to, uint256 value) external returns (bool) {
    return _move(msg.sender, to, value);
  }

  function transferFrom(address from, address to, uint256 value) external returns (bool) {
    return _move(from, to, value);
  }

  function balanceOf(address owner) external view returns (uint256) {
    return (_shares[owner] * _percent) / 100;
  }

  function _move(address from, address to, uint256 value) private returns (bool) {
    uint256 share = (value * 100) / _percent;
    _shares[from] -= share;
    _shares[to] += share;
    return true;
  }
}
