// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC1363} from "@openzeppelin/contracts/token/ERC20/extensions/ERC1363.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title The Mainframe Token (MFT)
/// @notice Described in IMainframeToken.
/// @dev Not ERC20Votes: it triples the cost of a transfer between holders who delegated.
contract MainframeToken is ERC20, ERC20Permit, ERC1363 {
  /// @notice 10,000,000,000 MFT in base units.
  uint256 private constant SUPPLY = 10_000_000_000e18;

  /// @param treasury Receives the whole supply.
  constructor(address treasury) ERC20("Mainframe Token", "MFT") ERC20Permit("Mainframe Token") {
    _mint(treasury, SUPPLY);
  }
}
