// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Actor} from "./Actor.sol";

/// @notice Lets an actor make a call, and reports what came of it and everything that can be seen after it.
contract Stage {
  /// @notice Something to look at.
  struct View {
    address target;
    bytes data;
  }

  /// @notice Whether the call succeeded, what it returned or reverted with, its block's time; then the answers of all
  /// views one after the other, and the balances of the coin.
  event Performed(bool ok, bytes answer, uint256 time, bytes answers, uint256[] coins);

  address private immutable _script;

  /// @param script An address whose code is abi.encode(View[] views, address[] owners): quicker to read than storage.
  constructor(address script) {
    _script = script;
  }

  /// @notice The actor calls `target`.
  function perform(Actor actor, address target, uint256 value, bytes calldata data) external {
    (bool ok, bytes memory answer) = address(actor).call(abi.encodeCall(Actor.execute, (target, value, data)));
    if (ok) answer = abi.decode(answer, (bytes));
    (View[] memory views, address[] memory owners) = abi.decode(_script.code, (View[], address[]));
    bytes memory answers;
    for (uint256 i = 0; i < views.length; ++i) {
      (, bytes memory seen) = views[i].target.staticcall(views[i].data);
      answers = bytes.concat(answers, seen);
    }
    uint256[] memory coins = new uint256[](owners.length);
    for (uint256 i = 0; i < coins.length; ++i) coins[i] = owners[i].balance;
    emit Performed(ok, answer, block.timestamp, answers, coins);
  }
}
