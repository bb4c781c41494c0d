// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {OneChannel} from "./OneChannel.sol";

/// @notice What came in is what went out, what the vaults hold and what the channel still holds.
contract Custody is OneChannel {
  constructor(uint32 notice) OneChannel(notice) {}

  function check() external view {
    assert(_cameIn == _wentOut + _payersVault + _payeesVault + (_deposit - _claimed));
  }
}
