// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice An honest token, with a supply of 2^120: far more than a channel can hold.
contract HonestToken is ERC20("Honest", "HON") {
  constructor() {
    _mint(msg.sender, 2 ** 120);
  }
}
