// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice Has a list of accounts that may neither send nor receive.
contract BlockingToken is ERC20("Blocking", "BLK") {
  error Blocked(address account);

  mapping(address account => bool yes) private _blocked;

  constructor() {
    _mint(msg.sender, 1e30);
  }

  function block_(address account) external {
    _blocked[account] = true;
  }

  function _update(address from, address to, uint256 value) internal override {
    require(!_blocked[from], Blocked(from));
    require(!_blocked[to], Blocked(to));
    super._update(from, to, value);
  }
}
