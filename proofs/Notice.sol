// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {OneChannel} from "./OneChannel.sol";

/// @notice Nothing is refunded without the payee before the whole notice has passed.
contract Notice is OneChannel {
  constructor(uint32 notice) OneChannel(notice) {}

  function _finalizes() internal view override {
    assert(_requested && block.timestamp >= _requestedAt + _notice);
  }
}
