// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPaymentChannels} from "../../../contracts/interfaces/IPaymentChannels.sol";
import {Judge} from "./Judge.sol";

/// @notice Amounts at the edges, and vouchers of every sort, each from one random number.
abstract contract Vouchers is Judge {
  /// @notice Rows of one payee and token, and the channels they name.
  struct Batch {
    uint256 payee;
    uint256 token;
    uint256 touched;
    IPaymentChannels.ClaimRow[] rows;
  }

  /// @dev One to three rows of one payee's channels, some of them forged or of an old epoch, doubles among them.
  function _batch(uint256 seed) internal returns (Batch memory batch) {
    uint256 channel = _openAt(seed);
    batch.payee = PAYERS + ((channel / PAYERS) % PAYEES);
    batch.token = _tokenOf(channel);
    batch.rows = new IPaymentChannels.ClaimRow[](1 + ((seed >> 16) % 3));
    for (uint256 i = 0; i < batch.rows.length; ++i) {
      batch.touched |= 1 << channel;
      batch.rows[i] = _row(channel, seed >> 24);
      seed = uint256(keccak256(abi.encode(seed, i)));
      channel = _channelOf(seed % PAYERS, batch.payee - PAYERS, batch.token);
    }
  }

  function _row(uint256 channel, uint256 seed) private returns (IPaymentChannels.ClaimRow memory) {
    IPaymentChannels.Channel memory slot = _slot(channel);
    uint96 amount = uint96(_amount(seed >> 8, slot.deposit));
    uint256 sort = seed % 16;
    if (sort == 0) return _voucher(channel, slot.epoch, amount, 0xbad);
    if (sort == 1 && slot.epoch > 0) return _voucher(channel, slot.epoch - 1, amount, 0);
    IPaymentChannels.ClaimRow memory row = _voucher(channel, slot.epoch, amount, 0);
    if (sort == 2) row.vs ^= bytes32(uint256(1) << (seed % 256));
    return row;
  }

  /// @dev A voucher by the signer, or by another key; what the signer signs is remembered.
  function _voucher(
    uint256 channel,
    uint24 epoch,
    uint96 amount,
    uint256 forger
  ) internal returns (IPaymentChannels.ClaimRow memory) {
    if (forger == 0 && amount > largestSigned[channel][epoch]) largestSigned[channel][epoch] = amount;
    uint256 key = forger == 0 ? _signerKey(channel % PAYERS) : forger;
    (bytes32 r, bytes32 vs) = _sign(key, channels.digest(_ids[channel], epoch, amount));
    address signer = _termsOf(channel).signer;
    return IPaymentChannels.ClaimRow({payer: _payerOf(channel), signer: signer, amount: amount, r: r, vs: vs});
  }

  /// @dev Zero, one, `near`, one more than it, the most there is, or any part of it.
  function _amount(uint256 seed, uint256 near) internal pure returns (uint256) {
    uint256 sort = seed % 12;
    if (sort == 0) return 0;
    if (sort == 1) return 1;
    if (sort == 2) return near;
    if (sort == 3) return near < type(uint96).max ? near + 1 : near;
    if (sort == 4) return type(uint96).max;
    return (seed >> 8) % ((near > type(uint96).max ? type(uint96).max : near) + 1);
  }

  /// @dev Mostly the next open channel, at times any.
  function _openAt(uint256 seed) internal view returns (uint256 channel) {
    channel = seed % CHANNELS;
    if (seed % 8 == 0) return channel;
    IPaymentChannels.Channel[] memory slots = channels.slots(_ids);
    for (uint256 i = 0; i < CHANNELS; ++i) {
      uint256 next = (channel + i) % CHANNELS;
      if (slots[next].deposit != 0) return next;
    }
  }

  /// @dev Mostly the next channel that is closing, at times any.
  function _closingAt(uint256 seed) internal view returns (uint256 channel) {
    channel = seed % CHANNELS;
    if (seed % 8 == 0) return channel;
    IPaymentChannels.Channel[] memory slots = channels.slots(_ids);
    for (uint256 i = 0; i < CHANNELS; ++i) {
      uint256 next = (channel + i) % CHANNELS;
      if (slots[next].closesAt != 0) return next;
    }
  }

  function _slot(uint256 channel) internal view returns (IPaymentChannels.Channel memory) {
    bytes32[] memory one = new bytes32[](1);
    one[0] = _ids[channel];
    return channels.slots(one)[0];
  }
}
