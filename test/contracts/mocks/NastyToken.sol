// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice An honest ledger, whose transfers or permits end as they were told to.
contract NastyToken is ERC20("Nasty", "NASTY") {
  /// @dev FillMemory costs what a bomb costs its maker, and returns one word.
  enum Habit {
    Honest,
    FillMemory,
    ReturnBomb,
    RevertBomb,
    BurnGas
  }

  uint256 private constant BOMB = 200_000;
  Habit private _ofTransfers;
  Habit private _ofPermits;

  constructor() {
    _mint(msg.sender, 1e30);
  }

  function become(Habit ofTransfers, Habit ofPermits) external {
    (_ofTransfers, _ofPermits) = (ofTransfers, ofPermits);
  }

  function permit(address, address, uint256, uint256, uint8, bytes32, bytes32) external view {
    _end(_ofPermits);
  }

  function transfer(address to, uint256 value) public override returns (bool ok) {
    ok = super.transfer(to, value);
    _end(_ofTransfers);
  }

  function transferFrom(address from, address to, uint256 value) public override returns (bool ok) {
    ok = super.transferFrom(from, to, value);
    _end(_ofTransfers);
  }

  function _end(Habit habit) private pure {
    if (habit == Habit.Honest) return;
    assembly ("memory-safe") {
      if eq(habit, 4) {
        invalid()
      }
      let bomb := mload(0x40)
      mstore(bomb, 1)
      mstore8(add(bomb, sub(BOMB, 1)), 1)
      if eq(habit, 1) {
        return(bomb, 32)
      }
      if eq(habit, 2) {
        return(bomb, BOMB)
      }
      revert(bomb, BOMB)
    }
  }
}
