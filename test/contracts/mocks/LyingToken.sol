// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice From some moment on nothing moves when somebody pays, and yet the balance seems to grow.
contract LyingToken is ERC20("Lying", "LIE") {
  bool private _lies;
  mapping(address account => uint256 amount) private _invented;

  constructor() {
    _mint(msg.sender, 1e30);
  }

  function startLying() external {
    _lies = true;
  }

  function transferFrom(address from, address to, uint256 value) public override returns (bool) {
    if (!_lies) return super.transferFrom(from, to, value);
    _invented[to] += value;
    return true;
  }

  function balanceOf(address account) public view override returns (uint256) {
    return super.balanceOf(account) + _invented[account];
  }
}
