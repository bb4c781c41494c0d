// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Handler} from "./Handler.sol";
import {Judge} from "./Judge.sol";

/// @dev The fuzzer only knows contracts of the file that is run.
contract FuzzedHandler is Handler {}

/// @notice The nine invariants of the payment channels. Each is checked after every call that the fuzzer makes of the
/// handler; those about changes are judged by the handler within the call (Judge.sol), and asked for here.
contract PaymentChannelsInvariants {
  struct FuzzSelector {
    address addr;
    bytes4[] selectors;
  }

  error NeverSucceeded(Judge.Kind kind);

  FuzzedHandler private _handler;

  function setUp() external {
    _handler = new FuzzedHandler();
  }

  /// @notice Whom the fuzzer calls, and with what.
  function targetContracts() external view returns (address[] memory list) {
    list = new address[](1);
    list[0] = address(_handler);
  }

  function targetSelectors() external view returns (FuzzSelector[] memory list) {
    list = new FuzzSelector[](1);
    list[0] = FuzzSelector(address(_handler), _actions());
  }

  function invariant_1_claimed_within_deposit() external view {
    Handler.Snapshot memory now_ = _handler.look();
    for (uint256 i = 0; i < now_.channels.length; ++i) {
      require(now_.channels[i].claimed <= now_.channels[i].deposit, "claimed is above the deposit");
    }
    _expectNoFault(1);
  }

  function invariant_2_custody_equals_vaults_and_open_channels() external view {
    uint256[] memory liabilities = _handler.liabilities();
    Handler.Snapshot memory now_ = _handler.look();
    for (uint256 token = 0; token < liabilities.length; ++token) {
      require(now_.custody[token] == liabilities[token] + _handler.donated(token), "custody is not what is owed");
    }
  }

  function invariant_3_custody_moves_by_inflows_and_outflows_only() external view {
    Handler.Snapshot memory now_ = _handler.look();
    for (uint256 token = 0; token < now_.custody.length; ++token) {
      uint256 flows = _handler.inflow(token) + _handler.donated(token) - _handler.outflow(token);
      require(now_.custody[token] == flows, "custody moved by something else");
    }
  }

  function invariant_4_nothing_falls_within_an_epoch_and_old_vouchers_are_dead() external view {
    _expectNoFault(4);
  }

  function invariant_5_no_more_is_claimed_than_was_signed() external view {
    Handler.Snapshot memory now_ = _handler.look();
    for (uint256 i = 0; i < now_.channels.length; ++i) {
      uint96 signed = _handler.largestSigned(i, now_.channels[i].epoch);
      require(now_.channels[i].claimed <= signed, "claimed is above what was signed");
    }
    _expectNoFault(5);
  }

  function invariant_6_no_refund_before_the_notice_unless_the_payee_agrees() external view {
    _expectNoFault(6);
  }

  function invariant_7_the_payer_exits_with_nobodys_help() external {
    uint256 count = _handler.look().channels.length;
    for (uint256 i = 0; i < count; ++i) require(_handler.canExit(i), "a payer cannot get out what is his");
  }

  function invariant_8_an_operation_touches_no_other_channel_and_token() external view {
    _expectNoFault(8);
  }

  function invariant_9_orders_and_replays_change_nothing() external view {
    _expectNoFault(9);
  }

  /// @notice The campaigns are not idle: with random arguments, each kind of call succeeds within a few attempts.
  function test_every_kind_of_call_succeeds() external {
    _repeat(Handler.deposit.selector, Judge.Kind.Inflow);
    _repeat(Handler.withdraw.selector, Judge.Kind.Outflow);
    _openSome();
    _repeat(Handler.claim.selector, Judge.Kind.Claim);
    _repeat(Handler.claimTo.selector, Judge.Kind.ClaimTo);
    _exit();
    _repeat(Handler.finalize.selector, Judge.Kind.Finalize);
    _exit();
    _repeat(Handler.finalizeTo.selector, Judge.Kind.FinalizeTo);
    _repeat(Handler.closeByPayee.selector, Judge.Kind.PayeeClose);
    _openSome();
    _repeat(Handler.closeByPayeeTo.selector, Judge.Kind.PayeeCloseTo);
    _openSome();
    _repeat(Handler.closeWithRelease.selector, Judge.Kind.Release);
  }

  function _openSome() private {
    for (uint256 i = 0; i < 6; ++i) _call(Handler.open.selector, uint256(keccak256(abi.encode(i))));
  }

  function _exit() private {
    _repeat(Handler.requestClose.selector, Judge.Kind.Inside);
    for (uint256 i = 0; i < 2; ++i) _call(Handler.pass.selector, 2 hours - 1);
  }

  function _repeat(bytes4 action, Judge.Kind kind) private {
    uint256 before = _handler.successes(kind);
    for (uint256 i = 0; i < 12; ++i) {
      _call(action, uint256(keccak256(abi.encode(i))));
      if (_handler.successes(kind) > before) return;
    }
    revert NeverSucceeded(kind);
  }

  function _call(bytes4 action, uint256 random) private {
    bytes memory data = abi.encodeWithSelector(action, random, random >> 8, random >> 16);
    (bool ok, ) = address(_handler).call(data);
    require(ok, "an action reverted");
  }

  function _actions() private pure returns (bytes4[] memory list) {
    list = new bytes4[](18);
    list[0] = Handler.deposit.selector;
    list[1] = Handler.withdraw.selector;
    list[2] = Handler.open.selector;
    list[3] = Handler.openByTransfer.selector;
    list[4] = Handler.openWithPermit.selector;
    list[5] = Handler.openFromVault.selector;
    list[6] = Handler.claim.selector;
    list[7] = Handler.claimTo.selector;
    list[8] = Handler.closeByPayee.selector;
    list[9] = Handler.closeByPayeeTo.selector;
    list[10] = Handler.closeWithRelease.selector;
    list[11] = Handler.requestClose.selector;
    list[12] = Handler.cancelClose.selector;
    list[13] = Handler.finalize.selector;
    list[14] = Handler.finalizeTo.selector;
    list[15] = Handler.claimWithOldVoucher.selector;
    list[16] = Handler.pass.selector;
    list[17] = Handler.donate.selector;
  }

  function _expectNoFault(uint256 invariant) private view {
    string memory what = _handler.fault(invariant);
    require(bytes(what).length == 0, what);
  }
}
