// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @notice An honest token of 6 decimals that takes permits, as stable coins do.
contract DollarToken is ERC20("Dollar", "USD"), ERC20Permit("Dollar") {
  constructor() {
    _mint(msg.sender, 1e9 * 1e6);
  }

  function decimals() public pure override returns (uint8) {
    return 6;
  }
}
