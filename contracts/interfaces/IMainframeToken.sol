// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC1363} from "@openzeppelin/contracts/interfaces/IERC1363.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";

/// @title The Mainframe Token (MFT)
/// @notice The network's own medium of exchange and its stake: an ERC-20 with permits (ERC-2612) and transfers
/// that call the receiver (ERC-1363), 18 decimals.
/// @dev The supply of 10,000,000,000 MFT is minted once, to the treasury named at deployment. There is no owner, no
/// mint, no burn and no pause, so the supply never changes, and a transfer moves exactly its amount. The registry
/// and the channels rely on this last property.
interface IMainframeToken is IERC1363, IERC20Metadata, IERC20Permit {}
