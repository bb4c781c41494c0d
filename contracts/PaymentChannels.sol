// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC1363Receiver} from "@openzeppelin/contracts/interfaces/IERC1363Receiver.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {IPaymentChannels} from "./interfaces/IPaymentChannels.sol";
import {Permit} from "./interfaces/Permit.sol";
import {ChannelMath} from "./libraries/ChannelMath.sol";

/// @title Payment channels
/// @notice Described in IPaymentChannels.
/// @dev Every inflow is `nonReentrant`: it measures balances around a foreign call. Outflows are not: they do all their
/// book-keeping before their one foreign call. Nothing has a privilege here and nothing can be changed.
contract PaymentChannels is IPaymentChannels, EIP712, ReentrancyGuardTransient {
  using ChannelMath for Channel;
  using SafeERC20 for IERC20;

  bytes32 private constant VOUCHER_TYPEHASH = keccak256("Voucher(bytes32 channelId,uint24 epoch,uint96 amount)");
  bytes32 private constant RELEASE_TYPEHASH = keccak256("Release(bytes32 channelId,uint24 epoch,uint96 finalAmount)");

  /// @dev The token of the chain's own coin.
  address private constant COIN = address(0);

  uint8 private constant OK = 0;
  uint8 private constant NOT_OPEN = 1;
  uint8 private constant NOTHING_NEW = 2;
  uint8 private constant BAD_SIGNATURE = 3;

  /// @dev What the rows of one claim have in common.
  struct Batch {
    address payee;
    address token;
    uint32 notice;
    bytes32 domain;
  }

  /// @inheritdoc IPaymentChannels
  address public immutable mft;
  /// @inheritdoc IPaymentChannels
  uint32 public immutable minimumNotice;
  /// @inheritdoc IPaymentChannels
  uint32 public immutable maximumNotice;

  mapping(bytes32 id => Channel channel) private _channels;
  mapping(address token => mapping(address owner => uint256 balance)) private _vault;

  /// @param mft_ The only token whose `transferAndCall` is accepted.
  /// @param minimumNotice_ In seconds.
  /// @param maximumNotice_ In seconds.
  constructor(
    address mft_,
    uint32 minimumNotice_,
    uint32 maximumNotice_
  ) EIP712("Mainframe PaymentChannels", "1") {
    require(minimumNotice_ <= maximumNotice_, ChannelsBadNotice(minimumNotice_, 0, maximumNotice_));
    mft = mft_;
    minimumNotice = minimumNotice_;
    maximumNotice = maximumNotice_;
  }

  // Inflows

  /// @inheritdoc IPaymentChannels
  function deposit(address token, uint256 amount) external payable nonReentrant {
    _deposit(token, msg.sender, amount);
  }

  /// @inheritdoc IPaymentChannels
  function depositFor(address token, address owner, uint256 amount) external payable nonReentrant {
    require(owner != address(0), ChannelsZeroAddress());
    _deposit(token, owner, amount);
  }

  /// @inheritdoc IPaymentChannels
  function open(
    Terms calldata terms,
    uint96 amount,
    uint24 expectedEpoch
  ) external payable nonReentrant returns (bytes32) {
    return _fund(msg.sender, terms, _pull(terms.token, amount), expectedEpoch);
  }

  /// @inheritdoc IPaymentChannels
  function openWithPermit(
    Terms calldata terms,
    uint96 amount,
    uint24 expectedEpoch,
    Permit calldata permit
  ) external nonReentrant returns (bytes32) {
    // somebody may have submitted the permit already: the allowance is what counts
    try
      IERC20Permit(terms.token).permit(
        msg.sender,
        address(this),
        amount,
        permit.deadline,
        permit.v,
        permit.r,
        permit.s
      )
    {} catch {}
    return _fund(msg.sender, terms, _pull(terms.token, amount), expectedEpoch);
  }

  /// @inheritdoc IPaymentChannels
  function onTransferReceived(
    address /* operator */,
    address from,
    uint256 value,
    bytes calldata data
  ) external nonReentrant returns (bytes4) {
    require(msg.sender == mft, ChannelsWrongToken(msg.sender));
    (address payee, address signer, uint32 notice) = abi.decode(data, (address, address, uint32));
    _fund(from, Terms({payee: payee, token: mft, signer: signer, notice: notice}), value, 0);
    return IERC1363Receiver.onTransferReceived.selector;
  }

  /// @inheritdoc IPaymentChannels
  function openFromVault(address token, uint32 notice, OpenRow[] calldata rows) external nonReentrant {
    require(rows.length != 0, ChannelsNoRows());
    uint256 sum = 0;
    for (uint256 i = 0; i < rows.length; ++i) {
      OpenRow calldata row = rows[i];
      sum += row.amount;
      Terms memory terms = Terms({payee: row.payee, token: token, signer: row.signer, notice: notice});
      _fund(msg.sender, terms, row.amount, row.expectedEpoch);
    }
    _debit(token, sum);
  }

  // Claims

  /// @inheritdoc IPaymentChannels
  function claim(
    address payee,
    address token,
    uint32 notice,
    ClaimRow[] calldata rows
  ) external returns (uint256 paid) {
    paid = _claim(payee, token, notice, rows);
    _credit(token, payee, paid);
  }

  /// @inheritdoc IPaymentChannels
  function claimTo(
    address token,
    uint32 notice,
    ClaimRow[] calldata rows,
    address to
  ) external returns (uint256 paid) {
    _checkRecipient(to);
    paid = _claim(msg.sender, token, notice, rows);
    _pay(token, to, paid);
  }

  /// @inheritdoc IPaymentChannels
  function closeByPayee(address token, uint32 notice, ClaimRow[] calldata rows) external returns (uint256 paid) {
    paid = _closeByPayee(token, notice, rows);
    _credit(token, msg.sender, paid);
  }

  /// @inheritdoc IPaymentChannels
  function closeByPayeeTo(
    address token,
    uint32 notice,
    ClaimRow[] calldata rows,
    address to
  ) external returns (uint256 paid) {
    _checkRecipient(to);
    paid = _closeByPayee(token, notice, rows);
    _pay(token, to, paid);
  }

  // The payer's exits

  /// @inheritdoc IPaymentChannels
  function closeWithRelease(Terms calldata terms, uint96 finalAmount, bytes32 r, bytes32 vs) external {
    (bytes32 id, Channel memory channel) = _loadOpen(terms);
    require(finalAmount <= channel.deposit, ChannelsAboveDeposit(id, finalAmount, channel.deposit));
    (address recovered, , ) = ECDSA.tryRecover(releaseDigest(id, channel.epoch, finalAmount), r, vs);
    require(recovered == terms.payee, ChannelsBadRelease(id, recovered));
    uint96 paid = channel.due(finalAmount);
    uint96 refund = _close(id, terms.payee, channel.pay(paid));
    _credit(terms.token, terms.payee, paid);
    _credit(terms.token, msg.sender, refund);
  }

  /// @inheritdoc IPaymentChannels
  function requestClose(Terms calldata terms) external {
    (bytes32 id, Channel memory channel) = _loadOpen(terms);
    require(channel.closesAt == 0, ChannelsClosing(id, channel.closesAt));
    channel.closesAt = uint40(block.timestamp + terms.notice);
    _channels[id] = channel;
    emit CloseRequested(id, terms.payee, channel.closesAt);
  }

  /// @inheritdoc IPaymentChannels
  function cancelClose(Terms calldata terms) external {
    (bytes32 id, Channel memory channel) = _loadOpen(terms);
    require(channel.closesAt != 0, ChannelsNotClosing(id));
    channel.closesAt = 0;
    _channels[id] = channel;
    emit CloseCancelled(id);
  }

  /// @inheritdoc IPaymentChannels
  function finalize(Terms calldata terms) external {
    _credit(terms.token, msg.sender, _finalize(terms));
  }

  /// @inheritdoc IPaymentChannels
  function finalizeTo(Terms calldata terms, address to) external {
    _checkRecipient(to);
    _pay(terms.token, to, _finalize(terms));
  }

  /// @inheritdoc IPaymentChannels
  function withdraw(address token, address to, uint256 amount) external {
    _checkRecipient(to);
    require(amount != 0, ChannelsZeroAmount());
    uint256 balance = _debit(token, amount);
    emit Withdrawn(token, msg.sender, to, amount, balance);
    _pay(token, to, amount);
  }

  // Views

  /// @inheritdoc IPaymentChannels
  function slots(bytes32[] calldata ids) external view returns (Channel[] memory list) {
    list = new Channel[](ids.length);
    for (uint256 i = 0; i < ids.length; ++i) list[i] = _channels[ids[i]];
  }

  /// @inheritdoc IPaymentChannels
  function vaults(address[] calldata tokens, address owner) external view returns (uint256[] memory list) {
    list = new uint256[](tokens.length);
    for (uint256 i = 0; i < tokens.length; ++i) list[i] = _vault[tokens[i]][owner];
  }

  /// @inheritdoc IPaymentChannels
  function claimable(
    address payee,
    address token,
    uint32 notice,
    ClaimRow[] calldata rows
  ) external view returns (uint256 total, uint96[] memory each) {
    Batch memory batch = Batch(payee, token, notice, _domainSeparatorV4());
    each = new uint96[](rows.length);
    for (uint256 i = 0; i < rows.length; ++i) {
      (, , each[i], ) = _judge(batch, rows[i]);
      total += each[i];
    }
  }

  /// @inheritdoc IPaymentChannels
  function digest(bytes32 id, uint24 epoch, uint96 amount) external view returns (bytes32) {
    return _voucherDigest(_domainSeparatorV4(), id, epoch, amount);
  }

  /// @inheritdoc IPaymentChannels
  function idOf(address payer, Terms calldata terms) external pure returns (bytes32) {
    return _idOf(payer, terms.payee, terms.token, terms.signer, terms.notice);
  }

  /// @inheritdoc IPaymentChannels
  function releaseDigest(bytes32 id, uint24 epoch, uint96 finalAmount) public view returns (bytes32) {
    bytes32 release = keccak256(abi.encode(RELEASE_TYPEHASH, id, epoch, finalAmount));
    return MessageHashUtils.toTypedDataHash(_domainSeparatorV4(), release);
  }

  // Internals: inflows

  function _deposit(address token, address owner, uint256 amount) private {
    uint256 received = _pull(token, amount);
    uint256 balance = _vault[token][owner] + received;
    _vault[token][owner] = balance;
    emit Deposited(token, owner, received, balance);
  }

  /// @dev Takes `amount` from the caller and says what arrived. Callers hold the guard, so no other inflow can be
  /// counted twice; an outflow in between only lowers the difference.
  function _pull(address token, uint256 amount) private returns (uint256 received) {
    if (token == COIN) {
      require(msg.value == amount, ChannelsWrongValue(msg.value, amount));
      received = amount;
    } else {
      require(msg.value == 0, ChannelsWrongValue(msg.value, 0));
      uint256 before = IERC20(token).balanceOf(address(this));
      IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
      received = IERC20(token).balanceOf(address(this)) - before;
    }
    require(received != 0, ChannelsZeroAmount());
  }

  /// @dev Guards, effects and event of every way to open or top up; the money is here already, or leaves the vault.
  function _fund(address payer, Terms memory terms, uint256 amount, uint24 expectedEpoch) private returns (bytes32 id) {
    id = _idOf(payer, terms.payee, terms.token, terms.signer, terms.notice);
    Channel memory channel = _channels[id];
    bool fresh = channel.deposit == 0;
    // the terms of an open channel were checked when it was opened
    if (fresh) _checkTerms(terms);
    require(amount != 0, ChannelsZeroAmount());
    require(amount <= type(uint96).max - channel.deposit, ChannelsAmountTooLarge(amount));
    require(channel.closesAt == 0, ChannelsClosing(id, channel.closesAt));
    channel = channel.fund(uint96(amount));
    require(
      expectedEpoch == 0 || expectedEpoch == channel.epoch,
      ChannelsWrongEpoch(id, channel.epoch, expectedEpoch)
    );
    _channels[id] = channel;
    if (fresh) {
      emit Opened(
        id,
        payer,
        terms.payee,
        terms.token,
        terms.signer,
        terms.notice,
        channel.epoch,
        channel.deposit
      );
    } else {
      emit ToppedUp(id, channel.deposit);
    }
  }

  function _checkTerms(Terms memory terms) private view {
    require(terms.payee != address(0) && terms.signer != address(0), ChannelsZeroAddress());
    require(
      terms.notice >= minimumNotice && terms.notice <= maximumNotice,
      ChannelsBadNotice(terms.notice, minimumNotice, maximumNotice)
    );
  }

  // Internals: claims and closes

  function _claim(
    address payee,
    address token,
    uint32 notice,
    ClaimRow[] calldata rows
  ) private returns (uint256 total) {
    Batch memory batch = Batch(payee, token, notice, _domainSeparatorV4());
    for (uint256 i = 0; i < rows.length; ++i) {
      (bytes32 id, Channel memory channel, uint96 paid, uint8 reason) = _judge(batch, rows[i]);
      if (reason == OK) {
        channel = channel.pay(paid);
        _channels[id] = channel;
        total += paid;
        emit Claimed(id, payee, channel.claimed);
      } else {
        emit Skipped(id, payee, reason);
      }
    }
  }

  function _closeByPayee(address token, uint32 notice, ClaimRow[] calldata rows) private returns (uint256 total) {
    Batch memory batch = Batch(msg.sender, token, notice, _domainSeparatorV4());
    for (uint256 i = 0; i < rows.length; ++i) {
      (bytes32 id, Channel memory channel, uint96 paid, uint8 reason) = _judge(batch, rows[i]);
      if (reason == OK || reason == NOTHING_NEW) {
        uint96 refund = _close(id, msg.sender, channel.pay(paid));
        total += paid;
        _credit(token, rows[i].payer, refund);
      } else {
        emit Skipped(id, msg.sender, reason);
      }
    }
  }

  /// @dev What one row is worth, and why it is worth nothing. The signature is the last thing to be looked at.
  function _judge(
    Batch memory batch,
    ClaimRow calldata row
  ) private view returns (bytes32 id, Channel memory channel, uint96 paid, uint8 reason) {
    id = _idOf(row.payer, batch.payee, batch.token, row.signer, batch.notice);
    channel = _channels[id];
    if (channel.deposit == 0) return (id, channel, 0, NOT_OPEN);
    paid = channel.due(row.amount);
    if (paid == 0) return (id, channel, 0, NOTHING_NEW);
    bytes32 hash = _voucherDigest(batch.domain, id, channel.epoch, row.amount);
    // an open channel's signer is not zero, so a failed recovery (zero) never matches
    (address recovered, , ) = ECDSA.tryRecover(hash, row.r, row.vs);
    if (recovered != row.signer) return (id, channel, 0, BAD_SIGNATURE);
  }

  /// @dev Closes a channel, after everything it owes the payee was added to `claimed`, and says what is the payer's.
  function _close(bytes32 id, address payee, Channel memory channel) private returns (uint96 refund) {
    refund = channel.rest();
    _channels[id] = channel.close();
    emit Closed(id, payee, channel.claimed, refund);
  }

  function _finalize(Terms calldata terms) private returns (uint96) {
    (bytes32 id, Channel memory channel) = _loadOpen(terms);
    require(channel.closesAt != 0, ChannelsNotClosing(id));
    require(
      block.timestamp >= channel.closesAt,
      ChannelsNoticeRunning(id, channel.closesAt, block.timestamp)
    );
    return _close(id, terms.payee, channel);
  }

  /// @dev The caller's open channel of these terms.
  function _loadOpen(Terms calldata terms) private view returns (bytes32 id, Channel memory channel) {
    id = _idOf(msg.sender, terms.payee, terms.token, terms.signer, terms.notice);
    channel = _channels[id];
    require(channel.deposit != 0, ChannelsNotOpen(id));
  }

  // Internals: vault and money

  function _credit(address token, address owner, uint256 amount) private {
    if (amount != 0) _vault[token][owner] += amount;
  }

  function _debit(address token, uint256 amount) private returns (uint256 balance) {
    uint256 before = _vault[token][msg.sender];
    require(before >= amount, ChannelsInsufficientVault(before, amount));
    unchecked {
      balance = before - amount;
    }
    _vault[token][msg.sender] = balance;
  }

  function _checkRecipient(address to) private view {
    require(to != address(0) && to != address(this), ChannelsBadRecipient(to));
  }

  /// @dev The one foreign call of an outflow, always the last thing it does. What a recipient of the coin returns is not
  /// copied, so it cannot make the call dear.
  function _pay(address token, address to, uint256 amount) private {
    if (amount == 0) return;
    if (token == COIN) {
      require(LowLevelCall.callNoReturn(to, amount, ""), ChannelsCoinRefused(to, amount));
    } else {
      IERC20(token).safeTransfer(to, amount);
    }
  }

  // Internals: hashes

  function _idOf(
    address payer,
    address payee,
    address token,
    address signer,
    uint32 notice
  ) private pure returns (bytes32) {
    return keccak256(abi.encode(payer, payee, token, signer, notice));
  }

  function _voucherDigest(bytes32 domain, bytes32 id, uint24 epoch, uint96 amount) private pure returns (bytes32) {
    return MessageHashUtils.toTypedDataHash(domain, keccak256(abi.encode(VOUCHER_TYPEHASH, id, epoch, amount)));
  }
}
