// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPaymentChannels} from "../../../contracts/interfaces/IPaymentChannels.sol";
import {CHEATS} from "./Cheats.sol";
import {Vouchers} from "./Vouchers.sol";

/// @notice What would happen if: done, looked at, and undone by a revert.
abstract contract Rehearsals is Vouchers {
  /// @dev Every rehearsal ends with it.
  error Outcome(bytes32 world, uint256 got, uint256 due);

  /// @notice Claims batch after batch, and reverts with the world's hash.
  function rehearseClaims(
    address payee,
    address token,
    uint32 notice,
    IPaymentChannels.ClaimRow[][] calldata batches
  ) external {
    for (uint256 i = 0; i < batches.length; ++i) channels.claim(payee, token, notice, batches[i]);
    revert Outcome(_world(), 0, 0);
  }

  /// @notice Lets the payer exit with nobody's help, and reverts with what he got and what was due to him.
  function rehearseExit(uint256 channel) external {
    IPaymentChannels.Terms memory terms = _termsOf(channel);
    IPaymentChannels.Channel memory slot = _slot(channel);
    address payer = _payerOf(channel);
    if (slot.closesAt == 0) {
      CHEATS.prank(payer);
      channels.requestClose(terms);
    }
    CHEATS.warp(block.timestamp + terms.notice);
    uint256 before = _balance(_tokenOf(channel), payer);
    CHEATS.prank(payer);
    channels.finalizeTo(terms, payer);
    revert Outcome(0, _balance(_tokenOf(channel), payer) - before, slot.deposit - slot.claimed);
  }

  /// @notice Whether the payer of an open channel can get all that is his.
  function canExit(uint256 channel) external returns (bool) {
    if (_slot(channel).deposit == 0) return true;
    try this.rehearseExit(channel) {} catch (bytes memory reason) {
      if (bytes4(reason) != Outcome.selector) return false;
      (, uint256 got, uint256 due) = _decode(reason);
      return got == due;
    }
    return false;
  }

  /// @dev A claim or a close, and its replay.
  function _performTwice(Call memory action) internal {
    _perform(action);
    bytes32 before = _world();
    _perform(action);
    if (before != _world()) _fail(9, "a replay changed something");
  }

  /// @dev The batch at once, its rows one by one, and one by one from the last.
  function _compareOrders(Batch memory batch) internal {
    uint256 length = batch.rows.length;
    IPaymentChannels.ClaimRow[][] memory whole = new IPaymentChannels.ClaimRow[][](1);
    IPaymentChannels.ClaimRow[][] memory forwards = new IPaymentChannels.ClaimRow[][](length);
    IPaymentChannels.ClaimRow[][] memory backwards = new IPaymentChannels.ClaimRow[][](length);
    whole[0] = batch.rows;
    for (uint256 i = 0; i < length; ++i) {
      forwards[i] = new IPaymentChannels.ClaimRow[](1);
      forwards[i][0] = batch.rows[i];
      backwards[length - 1 - i] = forwards[i];
    }
    bytes32 outcome = _rehearsed(batch, whole);
    if (outcome != _rehearsed(batch, forwards)) _fail(9, "a batch is not the sum of its rows");
    if (outcome != _rehearsed(batch, backwards)) _fail(9, "the order of rows matters");
  }

  function _world() internal view returns (bytes32) {
    return keccak256(abi.encode(look()));
  }

  function _rehearsed(
    Batch memory batch,
    IPaymentChannels.ClaimRow[][] memory batches
  ) private returns (bytes32 world) {
    address payee = _owners[batch.payee];
    try this.rehearseClaims(payee, _tokens[batch.token], _noticeOf(batch.token), batches) {} catch (
      bytes memory reason
    ) {
      if (bytes4(reason) != Outcome.selector) _fail(9, "a claim reverted");
      (world, , ) = _decode(reason);
    }
  }

  function _decode(bytes memory reason) private pure returns (bytes32 world, uint256 got, uint256 due) {
    assembly ("memory-safe") {
      world := mload(add(reason, 36))
      got := mload(add(reason, 68))
      due := mload(add(reason, 100))
    }
  }
}
