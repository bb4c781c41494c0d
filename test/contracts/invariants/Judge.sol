// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPaymentChannels} from "../../../contracts/interfaces/IPaymentChannels.sol";
import {World} from "./World.sol";
import {CHEATS} from "./Cheats.sol";

/// @notice Performs one call, compares the world before and after it, and remembers what was wrong (ghosts).
abstract contract Judge is World {
  /// @notice What a call may do to the money and to the channels it names.
  enum Kind {
    Inflow,
    Outflow,
    Inside,
    Claim,
    ClaimTo,
    PayeeClose,
    PayeeCloseTo,
    Release,
    Finalize,
    FinalizeTo
  }

  /// @param touched Bit i: the call names channel i.
  struct Call {
    Kind kind;
    uint256 caller;
    uint256 value;
    uint256 token;
    uint256 touched;
    bytes data;
  }

  /// @notice By number of the invariant, the first fault that a call showed.
  mapping(uint256 invariant => string what) public fault;
  /// @notice How many calls of a kind did something.
  mapping(Kind kind => uint256 count) public successes;
  /// @notice The largest amount that the signer signed for a channel and epoch.
  mapping(uint256 channel => mapping(uint24 epoch => uint96 amount)) public largestSigned;
  /// @notice By token, what deposits and openings brought, and what withdrawals and `…To` took.
  mapping(uint256 token => uint256 amount) public inflow;
  mapping(uint256 token => uint256 amount) public outflow;
  /// @notice By token, what was given to the contract for nothing.
  mapping(uint256 token => uint256 amount) public donated;
  /// @dev When the payer's standing wish to close was made, zero: none.
  mapping(uint256 channel => uint256 timestamp) internal _askedAt;

  function _perform(Call memory action) internal returns (bool ok) {
    Snapshot memory before = look();
    CHEATS.prank(_owners[action.caller]);
    address target = action.kind == Kind.Inflow && _isTransfer(action.data) ? address(mft) : address(channels);
    (ok, ) = target.call{value: action.value}(action.data);
    if (!ok) return false;
    Snapshot memory later = look();
    if (keccak256(abi.encode(before)) != keccak256(abi.encode(later))) ++successes[action.kind];
    _judgeMoney(action, before, later);
    for (uint256 i = 0; i < CHANNELS; ++i) {
      if ((action.touched >> i) & 1 == 0) {
        if (_differ(before.channels[i], later.channels[i])) _fail(8, "another channel changed");
      } else {
        _judgeChannel(action.kind, i, before.channels[i], later.channels[i]);
      }
    }
    _judgePayment(action, before, later);
  }

  /// @dev Other tokens stay; the flows of this one are summed up, wallet by wallet.
  function _judgeMoney(Call memory action, Snapshot memory before, Snapshot memory later) private {
    for (uint256 i = 0; i < TOKENS * OWNERS; ++i) {
      if (i / OWNERS == action.token) continue;
      if (before.vaults[i] != later.vaults[i]) _fail(8, "a vault in another token changed");
      if (before.wallets[i] != later.wallets[i]) _fail(8, "a wallet in another token changed");
    }
    for (uint256 i = 0; i < TOKENS; ++i) {
      if (i != action.token && before.custody[i] != later.custody[i]) _fail(8, "custody of another token changed");
    }
    uint256 held = _sum(before.wallets, action.token);
    uint256 holds = _sum(later.wallets, action.token);
    if (action.kind == Kind.Inflow) inflow[action.token] += held - holds;
    if (_paysOut(action.kind)) outflow[action.token] += holds - held;
  }

  function _judgeChannel(
    Kind kind,
    uint256 channel,
    IPaymentChannels.Channel memory before,
    IPaymentChannels.Channel memory later
  ) private {
    if (later.epoch < before.epoch) _fail(4, "an epoch fell");
    bool closed = before.deposit != 0 && later.deposit == 0;
    if (later.epoch != before.epoch) {
      if (before.deposit != 0 || later.epoch != before.epoch + 1) _fail(4, "an open channel changed its epoch");
    } else if (!closed && (later.deposit < before.deposit || later.claimed < before.claimed)) {
      _fail(4, "deposit or claimed fell within an epoch");
    }
    if (closed && !_mayClose(kind, channel)) _fail(6, "a channel closed too early");
    if (closed) _askedAt[channel] = 0;
  }

  function _mayClose(Kind kind, uint256 channel) private view returns (bool) {
    if (kind == Kind.PayeeClose || kind == Kind.PayeeCloseTo || kind == Kind.Release) return true;
    uint256 asked = _askedAt[channel];
    bool finalizes = kind == Kind.Finalize || kind == Kind.FinalizeTo;
    return finalizes && asked != 0 && block.timestamp >= asked + _noticeOf(_tokenOf(channel));
  }

  /// @dev What payees gained is at most what the vouchers of the named channels allow. A release adds its own amount
  /// to `largestSigned` before it is used.
  function _judgePayment(Call memory action, Snapshot memory before, Snapshot memory later) private {
    if (action.kind < Kind.Claim || action.kind > Kind.Release) return;
    uint256 allowed = 0;
    for (uint256 i = 0; i < CHANNELS; ++i) {
      if ((action.touched >> i) & 1 == 0) continue;
      IPaymentChannels.Channel memory channel = before.channels[i];
      uint96 ceiling = largestSigned[i][channel.epoch];
      if (ceiling > channel.claimed) allowed += ceiling - channel.claimed;
    }
    uint256 gained = _gained(action, before.vaults, later.vaults);
    // a recipient may be anybody, and the wallets hold nothing else that moved
    gained += _sum(later.wallets, action.token) - _sum(before.wallets, action.token);
    if (gained > allowed) _fail(5, "a payee got more than was signed");
  }

  function _gained(Call memory action, uint256[] memory before, uint256[] memory later) private pure returns (uint256) {
    uint256 first = action.token * OWNERS + PAYERS;
    uint256 sum = 0;
    for (uint256 i = first; i < first + PAYEES; ++i) sum += later[i] - before[i];
    return sum;
  }

  function _paysOut(Kind kind) private pure returns (bool) {
    return kind == Kind.Outflow || kind == Kind.ClaimTo || kind == Kind.PayeeCloseTo || kind == Kind.FinalizeTo;
  }

  function _isTransfer(bytes memory data) private pure returns (bool) {
    return bytes4(data) == bytes4(keccak256("transferAndCall(address,uint256,bytes)"));
  }

  function _sum(uint256[] memory list, uint256 token) private pure returns (uint256 sum) {
    for (uint256 i = token * OWNERS; i < (token + 1) * OWNERS; ++i) sum += list[i];
  }

  function _differ(IPaymentChannels.Channel memory a, IPaymentChannels.Channel memory b) private pure returns (bool) {
    return keccak256(abi.encode(a)) != keccak256(abi.encode(b));
  }

  function _fail(uint256 invariant, string memory what) internal {
    if (bytes(fault[invariant]).length == 0) fault[invariant] = what;
  }
}
