// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice A contract that acts for its test, and does one prepared thing when it is sent the coin.
contract Actor {
  error Refused();

  bool private _refuses;
  address private _target;
  bytes private _data;
  /// @notice Whether the prepared call succeeded when it was made.
  bool public succeeded;

  receive() external payable {
    require(!_refuses, Refused());
    if (_target != address(0)) (succeeded, ) = _target.call(_data);
  }

  function refuse() external {
    _refuses = true;
  }

  function prepare(address target, bytes calldata data) external {
    (_target, _data) = (target, data);
  }

  function execute(address target, uint256 value, bytes calldata data) external payable returns (bytes memory) {
    (bool ok, bytes memory answer) = target.call{value: value}(data);
    if (ok) return answer;
    assembly ("memory-safe") {
      revert(add(answer, 32), mload(answer))
    }
  }
}
