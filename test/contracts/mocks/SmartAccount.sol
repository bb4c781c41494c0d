// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @notice A wallet that is a contract: its owner acts through it, and its signatures are ERC-1271's.
contract SmartAccount is IERC1271 {
  error NotOwner(address caller);

  address private immutable _owner;

  constructor(address owner) {
    _owner = owner;
  }

  receive() external payable {}

  function execute(address target, uint256 value, bytes calldata data) external returns (bytes memory) {
    require(msg.sender == _owner, NotOwner(msg.sender));
    (bool ok, bytes memory answer) = target.call{value: value}(data);
    if (ok) return answer;
    assembly ("memory-safe") {
      revert(add(answer, 32), mload(answer))
    }
  }

  function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
    return ECDSA.recover(hash, signature) == _owner ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
  }
}
