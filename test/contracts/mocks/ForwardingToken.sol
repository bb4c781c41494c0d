// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice An honest ledger that calls whatever anybody wants, as tokens with hooks or multicalls do.
contract ForwardingToken is ERC20("Forwarding", "FWD") {
  constructor() {
    _mint(msg.sender, 1e30);
  }

  function forward(address target, bytes calldata data) external returns (bytes memory) {
    (bool ok, bytes memory answer) = target.call(data);
    if (ok) return answer;
    assembly ("memory-safe") {
      revert(add(answer, 32), mload(answer))
    }
  }
}
