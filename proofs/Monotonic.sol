// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {OneChannel} from "./OneChannel.sol";

/// @notice Within an epoch deposit and claimed never fall; a channel that is opened anew is in a greater epoch.
contract Monotonic is OneChannel {
  constructor(uint32 notice) OneChannel(notice) {}

  function _moves(uint256 deposit_, uint256 claimed, uint256 epoch) internal view override {
    bool opens = _deposit == 0;
    bool ends = deposit_ == 0;
    assert(opens ? epoch > _epoch : epoch == _epoch);
    assert(opens || ends || (deposit_ >= _deposit && claimed >= _claimed));
  }
}
