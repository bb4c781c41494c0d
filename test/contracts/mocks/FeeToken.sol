// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice Keeps one percent of every transfer.
contract FeeToken is ERC20("Fee", "FEE") {
  constructor() {
    _mint(msg.sender, 1e30);
  }

  function _update(address from, address to, uint256 value) internal override {
    if (from == address(0) || to == address(0)) return super._update(from, to, value);
    uint256 fee = value / 100;
    super._update(from, address(0xfee), fee);
    super._update(from, to, value - fee);
  }
}
