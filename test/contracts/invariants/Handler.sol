// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IPaymentChannels} from "../../../contracts/interfaces/IPaymentChannels.sol";
import {CHEATS} from "./Cheats.sol";
import {Rehearsals} from "./Rehearsals.sol";

/// @notice The actions among which the fuzzer chooses. Each takes random numbers and never reverts itself.
abstract contract Handler is Rehearsals {
  bytes32 private constant PERMIT_TYPEHASH = keccak256(
    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
  );

  function deposit(uint256 owner, uint256 token, uint256 seed) external {
    (owner, token) = (owner % OWNERS, token % TOKENS);
    uint256 amount = _amount(seed, 1e24);
    bytes memory data =
      seed % 5 == 0
        ? abi.encodeCall(channels.depositFor, (_tokens[token], _owners[(seed >> 8) % OWNERS], amount))
        : abi.encodeCall(channels.deposit, (_tokens[token], amount));
    _perform(Call(Kind.Inflow, owner, token == 0 ? amount : 0, token, 0, data));
  }

  function withdraw(uint256 owner, uint256 token, uint256 seed) external {
    (owner, token) = (owner % OWNERS, token % TOKENS);
    uint256 amount = _amount(seed, _vault(token, owner));
    address to = _owners[(seed >> 8) % OWNERS];
    bytes memory data = abi.encodeCall(channels.withdraw, (_tokens[token], to, amount));
    _perform(Call(Kind.Outflow, owner, 0, token, 0, data));
  }

  function open(uint256 channel, uint256 seed) external {
    channel %= CHANNELS;
    uint96 amount = uint96(_amount(seed, 1e24));
    uint24 expected = seed % 7 == 0 ? _slot(channel).epoch : 0;
    bytes memory data = abi.encodeCall(channels.open, (_termsOf(channel), amount, expected));
    uint256 value = _tokenOf(channel) == 0 ? amount : 0;
    _perform(Call(Kind.Inflow, channel % PAYERS, value, _tokenOf(channel), 1 << channel, data));
  }

  function openByTransfer(uint256 channel, uint256 seed) external {
    channel = _inMft(channel);
    IPaymentChannels.Terms memory terms = _termsOf(channel);
    bytes memory inner = abi.encode(terms.payee, terms.signer, terms.notice);
    bytes memory data = abi.encodeWithSignature(
      "transferAndCall(address,uint256,bytes)",
      address(channels),
      _amount(seed, 1e24),
      inner
    );
    _perform(Call(Kind.Inflow, channel % PAYERS, 0, MFT_INDEX, 1 << channel, data));
  }

  function openWithPermit(uint256 channel, uint256 seed) external {
    channel = _inMft(channel);
    uint96 amount = uint96(_amount(seed, 1e24));
    IPaymentChannels.Permit memory permit = _permit(channel % PAYERS, amount);
    bytes memory data = abi.encodeCall(channels.openWithPermit, (_termsOf(channel), amount, 0, permit));
    _perform(Call(Kind.Inflow, channel % PAYERS, 0, MFT_INDEX, 1 << channel, data));
  }

  function openFromVault(uint256 payer, uint256 token, uint256 seed) external {
    (payer, token) = (payer % PAYERS, token % TOKENS);
    IPaymentChannels.OpenRow[] memory rows = new IPaymentChannels.OpenRow[](1 + (seed % 3));
    uint256 touched = 0;
    for (uint256 i = 0; i < rows.length; ++i) {
      seed = uint256(keccak256(abi.encode(seed)));
      uint256 channel = _channelOf(payer, seed % PAYEES, token);
      touched |= 1 << channel;
      uint96 amount = uint96(_amount(seed >> 8, _vault(token, payer)));
      IPaymentChannels.Terms memory terms = _termsOf(channel);
      rows[i] = IPaymentChannels.OpenRow(terms.payee, terms.signer, amount, 0);
    }
    bytes memory data = abi.encodeCall(channels.openFromVault, (_tokens[token], _noticeOf(token), rows));
    _perform(Call(Kind.Inside, payer, 0, token, touched, data));
  }

  function claim(uint256 seed) external {
    Batch memory batch = _batch(seed);
    _compareOrders(batch);
    bytes memory data = abi.encodeCall(
      channels.claim,
      (_owners[batch.payee], _tokens[batch.token], _noticeOf(batch.token), batch.rows)
    );
    _performTwice(Call(Kind.Claim, seed % OWNERS, 0, batch.token, batch.touched, data));
  }

  function claimTo(uint256 seed) external {
    Batch memory batch = _batch(seed);
    address to = _owners[(seed >> 24) % OWNERS];
    bytes memory data = abi.encodeCall(
      channels.claimTo,
      (_tokens[batch.token], _noticeOf(batch.token), batch.rows, to)
    );
    _performTwice(Call(Kind.ClaimTo, batch.payee, 0, batch.token, batch.touched, data));
  }

  function closeByPayee(uint256 seed) external {
    Batch memory batch = _batch(seed);
    bytes memory data = abi.encodeCall(
      channels.closeByPayee,
      (_tokens[batch.token], _noticeOf(batch.token), batch.rows)
    );
    _performTwice(Call(Kind.PayeeClose, batch.payee, 0, batch.token, batch.touched, data));
  }

  function closeByPayeeTo(uint256 seed) external {
    Batch memory batch = _batch(seed);
    address to = _owners[(seed >> 24) % OWNERS];
    bytes memory data = abi.encodeCall(
      channels.closeByPayeeTo,
      (_tokens[batch.token], _noticeOf(batch.token), batch.rows, to)
    );
    _performTwice(Call(Kind.PayeeCloseTo, batch.payee, 0, batch.token, batch.touched, data));
  }

  function closeWithRelease(uint256 channel, uint256 seed) external {
    channel = _openAt(channel);
    IPaymentChannels.Channel memory slot = _slot(channel);
    uint96 amount = uint96(_amount(seed, slot.deposit));
    uint256 key = seed % 5 == 0 ? 0xbad : _ownerKey(PAYERS + ((channel / PAYERS) % PAYEES));
    (bytes32 r, bytes32 vs) = _sign(key, channels.releaseDigest(_ids[channel], slot.epoch, amount));
    bytes memory data = abi.encodeCall(channels.closeWithRelease, (_termsOf(channel), amount, r, vs));
    // the payer accepts it by sending it
    uint96 signed = largestSigned[channel][slot.epoch];
    if (amount > signed) largestSigned[channel][slot.epoch] = amount;
    Call memory action = Call(Kind.Release, channel % PAYERS, 0, _tokenOf(channel), 1 << channel, data);
    if (!_perform(action)) largestSigned[channel][slot.epoch] = signed;
    else if (_perform(action)) _fail(9, "a release was used twice");
  }

  function requestClose(uint256 channel) external {
    channel = _openAt(channel);
    bytes memory data = abi.encodeCall(channels.requestClose, (_termsOf(channel)));
    if (_perform(_exitOf(Kind.Inside, channel, data))) _askedAt[channel] = block.timestamp;
  }

  function cancelClose(uint256 channel) external {
    channel = _closingAt(channel);
    bytes memory data = abi.encodeCall(channels.cancelClose, (_termsOf(channel)));
    if (_perform(_exitOf(Kind.Inside, channel, data))) _askedAt[channel] = 0;
  }

  function finalize(uint256 channel, uint256 seed) external {
    channel = _closingAt(channel);
    _approachEnd(channel, seed);
    _perform(_exitOf(Kind.Finalize, channel, abi.encodeCall(channels.finalize, (_termsOf(channel)))));
  }

  function finalizeTo(uint256 channel, uint256 seed) external {
    channel = _closingAt(channel);
    _approachEnd(channel, seed);
    bytes memory data = abi.encodeCall(channels.finalizeTo, (_termsOf(channel), _owners[(seed >> 8) % OWNERS]));
    _perform(_exitOf(Kind.FinalizeTo, channel, data));
  }

  /// @notice Vouchers of all epochs that are over are shown again.
  function claimWithOldVoucher(uint256 channel, uint256 seed) external {
    channel %= CHANNELS;
    uint24 epoch = _slot(channel).epoch;
    if (epoch < 2) return;
    IPaymentChannels.ClaimRow[] memory rows = new IPaymentChannels.ClaimRow[](1);
    rows[0] = _voucher(channel, uint24(1 + (seed % (epoch - 1))), type(uint96).max, 0);
    bytes32 before = keccak256(abi.encode(look()));
    uint256 token = _tokenOf(channel);
    channels.claim(_payeeOf(channel), _tokens[token], _noticeOf(token), rows);
    if (before != keccak256(abi.encode(look()))) _fail(4, "a voucher of an old epoch changed something");
  }

  function pass(uint256 time) external {
    CHEATS.warp(block.timestamp + (time % 2 hours));
  }

  function donate(uint256 token, uint256 amount) external {
    (token, amount) = (token % TOKENS, amount % 1e18);
    donated[token] += amount;
    if (token == 0) return CHEATS.deal(address(channels), address(channels).balance + amount);
    CHEATS.prank(_owners[OUTSIDER]);
    IERC20(_tokens[token]).transfer(address(channels), amount);
  }

  /// @dev Lets time pass to the second from which the payer may finalize, or the one before, or not at all.
  function _approachEnd(uint256 channel, uint256 seed) private {
    uint256 end = _slot(channel).closesAt;
    if (seed % 3 == 0 && end != 0) --end;
    if (seed % 3 != 2 && end > block.timestamp) CHEATS.warp(end);
  }

  function _exitOf(Kind kind, uint256 channel, bytes memory data) private pure returns (Call memory) {
    return Call(kind, channel % PAYERS, 0, _tokenOf(channel), 1 << channel, data);
  }

  function _permit(uint256 payer, uint256 amount) private view returns (IPaymentChannels.Permit memory permit) {
    permit.deadline = type(uint256).max;
    address owner = _owners[payer];
    bytes32 hash = keccak256(
      abi.encode(PERMIT_TYPEHASH, owner, address(channels), amount, mft.nonces(owner), permit.deadline)
    );
    bytes32 digest = keccak256(abi.encodePacked(hex"1901", mft.DOMAIN_SEPARATOR(), hash));
    (permit.v, permit.r, permit.s) = CHEATS.sign(_ownerKey(payer), digest);
  }

  function _vault(uint256 token, uint256 owner) private view returns (uint256) {
    address[] memory one = new address[](1);
    one[0] = _tokens[token];
    return channels.vaults(one, _owners[owner])[0];
  }

  function _inMft(uint256 channel) private pure returns (uint256) {
    return MFT_INDEX * PAYERS * PAYEES + (channel % (PAYERS * PAYEES));
  }
}
