// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice Takes the coin, fills 200,000 bytes of memory, and returns `size` bytes of it, or reverts with them.
contract BombReceiver {
  uint256 private immutable _size;
  bool private immutable _reverts;

  constructor(uint256 size, bool reverts) {
    (_size, _reverts) = (size, reverts);
  }

  receive() external payable {
    (uint256 size, bool reverts) = (_size, _reverts);
    assembly ("memory-safe") {
      mstore(add(mload(0x40), 199968), 1)
      if reverts {
        revert(mload(0x40), size)
      }
      return(mload(0x40), size)
    }
  }
}
