// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {OneChannel} from "./OneChannel.sol";

/// @notice 0 <= claimed <= deposit < 2^96.
contract Bounds is OneChannel {
  constructor(uint32 notice) OneChannel(notice) {}

  function check() external view {
    assert(_claimed <= _deposit && _deposit <= type(uint96).max);
  }
}
