// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {OneChannel} from "./OneChannel.sol";

/// @notice The payee never has more of an epoch than the signer signed, or than the payer accepted by a release.
contract Signed is OneChannel {
  constructor(uint32 notice) OneChannel(notice) {}

  function check() external view {
    assert(_claimed <= _agreed);
  }

  function _closes(uint256 claimed) internal view override {
    assert(claimed <= _agreed);
  }
}
