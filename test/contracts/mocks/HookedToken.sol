// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice Makes one prepared call in the midst of its next transfer, before or after the balances move.
contract HookedToken is ERC20("Hooked", "HOOK") {
  address private _target;
  bytes private _data;
  bool private _after;

  constructor() {
    _mint(msg.sender, 1e30);
  }

  function prepare(address target, bytes calldata data, bool afterwards) external {
    (_target, _data, _after) = (target, data, afterwards);
  }

  function approveAs(address spender, uint256 value) external {
    _approve(address(this), spender, value);
  }

  function _update(address from, address to, uint256 value) internal override {
    address target = _target;
    _target = address(0);
    if (target != address(0) && !_after) _call(target);
    super._update(from, to, value);
    if (target != address(0) && _after) _call(target);
  }

  function _call(address target) private {
    (bool ok, bytes memory answer) = target.call(_data);
    if (ok) return;
    assembly ("memory-safe") {
      revert(add(answer, 32), mload(answer))
    }
  }
}
