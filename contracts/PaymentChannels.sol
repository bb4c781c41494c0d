// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC1363Receiver} from "@openzeppelin/contracts/interfaces/IERC1363Receiver.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {Vault} from "./Vault.sol";
import {IPaymentChannels} from "./interfaces/IPaymentChannels.sol";
import {ChannelMath} from "./libraries/ChannelMath.sol";
import {ChannelSlot} from "./libraries/ChannelSlot.sol";

/// @title Payment channels
/// @notice Described in IPaymentChannels.
/// @dev Money enters and leaves by Vault; here are the channels. Nobody has a privilege here, nothing can be changed.
contract PaymentChannels is IPaymentChannels, Vault, EIP712 {
  using ChannelSlot for uint256;

  bytes32 private constant VOUCHER_TYPEHASH = keccak256("Voucher(bytes32 channelId,uint24 epoch,uint96 amount)");
  bytes32 private constant RELEASE_TYPEHASH = keccak256("Release(bytes32 channelId,uint24 epoch,uint96 finalAmount)");

  uint8 private constant OK = 0;
  uint8 private constant NOT_OPEN = 1;
  uint8 private constant NOTHING_NEW = 2;
  uint8 private constant BAD_SIGNATURE = 3;

  /// @inheritdoc IPaymentChannels
  address public immutable mft;
  /// @inheritdoc IPaymentChannels
  uint32 public immutable minimumNotice;
  /// @inheritdoc IPaymentChannels
  uint32 public immutable maximumNotice;

  /// @dev Words of ChannelSlot.
  mapping(bytes32 id => uint256 slot) private _channels;

  /// @param mft_ The only token whose `transferAndCall` is accepted.
  /// @param minimumNotice_ In seconds, not zero.
  /// @param maximumNotice_ In seconds.
  constructor(address mft_, uint32 minimumNotice_, uint32 maximumNotice_) EIP712("Mainframe PaymentChannels", "1") {
    require(
      minimumNotice_ != 0 && minimumNotice_ <= maximumNotice_,
      ChannelsBadNotice(minimumNotice_, 1, maximumNotice_)
    );
    mft = mft_;
    minimumNotice = minimumNotice_;
    maximumNotice = maximumNotice_;
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
      IERC20Permit(terms.token).permit(msg.sender, address(this), amount, permit.deadline, permit.v, permit.r, permit.s)
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
  function claimTo(address token, uint32 notice, ClaimRow[] calldata rows, address to) external returns (uint256 paid) {
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

  /// @inheritdoc IPaymentChannels
  function closeWithRelease(Terms calldata terms, uint96 finalAmount, bytes32 r, bytes32 vs) external {
    (bytes32 id, uint256 slot) = _loadOpen(terms);
    uint256 total = slot.deposit();
    require(finalAmount <= total, ChannelsAboveDeposit(id, finalAmount, uint96(total)));
    (address recovered, , ) = ECDSA.tryRecover(releaseDigest(id, uint24(slot.epoch()), finalAmount), r, vs);
    require(recovered == terms.payee, ChannelsBadRelease(id, recovered));
    uint256 paid = ChannelMath.due(total, slot.claimed(), finalAmount);
    uint256 refund = _close(id, terms.payee, slot, paid);
    _credit(terms.token, terms.payee, paid);
    _credit(terms.token, msg.sender, refund);
  }

  /// @inheritdoc IPaymentChannels
  function requestClose(Terms calldata terms) external {
    (bytes32 id, uint256 slot) = _loadOpen(terms);
    require(slot.closesAt() == 0, ChannelsClosing(id, uint40(slot.closesAt())));
    uint256 closesAt = block.timestamp + terms.notice;
    _channels[id] = ChannelSlot.pack(slot.deposit(), slot.claimed(), closesAt, slot.epoch());
    emit CloseRequested(id, terms.payee, uint40(closesAt));
  }

  /// @inheritdoc IPaymentChannels
  function cancelClose(Terms calldata terms) external {
    (bytes32 id, uint256 slot) = _loadOpen(terms);
    require(slot.closesAt() != 0, ChannelsNotClosing(id));
    _channels[id] = ChannelSlot.pack(slot.deposit(), slot.claimed(), 0, slot.epoch());
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
  function slots(bytes32[] calldata ids) external view returns (Channel[] memory list) {
    list = new Channel[](ids.length);
    for (uint256 i = 0; i < ids.length; ++i) list[i] = _channels[ids[i]].unpack();
  }

  /// @inheritdoc IPaymentChannels
  function claimable(
    address payee,
    address token,
    uint32 notice,
    ClaimRow[] calldata rows
  ) external view returns (uint256 total, uint96[] memory each) {
    bytes32 domain = _domainSeparatorV4();
    each = new uint96[](rows.length);
    for (uint256 i = 0; i < rows.length; ++i) {
      (, , uint256 due, ) = _judge(domain, payee, token, notice, rows[i]);
      each[i] = uint96(due);
      total += due;
    }
  }

  /// @inheritdoc IPaymentChannels
  function digest(bytes32 id, uint24 epoch, uint96 amount) external view returns (bytes32) {
    return _voucherDigest(_domainSeparatorV4(), id, epoch, amount);
  }

  /// @inheritdoc IPaymentChannels
  function idOf(address payer, Terms calldata terms) external pure returns (bytes32) {
    return _idOf(payer, terms);
  }

  /// @inheritdoc IPaymentChannels
  function releaseDigest(bytes32 id, uint24 epoch, uint96 finalAmount) public view returns (bytes32) {
    bytes32 release = keccak256(abi.encode(RELEASE_TYPEHASH, id, epoch, finalAmount));
    return MessageHashUtils.toTypedDataHash(_domainSeparatorV4(), release);
  }

  /// @dev Guards, effects and event of every way to open or top up; the money is here already, or leaves the vault.
  function _fund(
    address payer,
    Terms memory terms,
    uint256 amount,
    uint256 expectedEpoch
  ) private returns (bytes32 id) {
    id = _idOf(payer, terms);
    uint256 slot = _channels[id];
    uint256 total = slot.deposit();
    uint256 epoch = slot.epoch();
    bool fresh = total == 0;
    if (fresh) {
      // the terms of an open channel were checked when it was opened
      _checkTerms(terms);
      // overflow reverts: a channel that was opened 2^24 times opens no more, so no voucher ever revives
      epoch = uint24(epoch) + 1;
    }
    require(expectedEpoch == 0 || expectedEpoch == epoch, ChannelsWrongEpoch(id, uint24(epoch), uint24(expectedEpoch)));
    require(slot.closesAt() == 0, ChannelsClosing(id, uint40(slot.closesAt())));
    require(amount != 0, ChannelsZeroAmount());
    require(amount <= ChannelMath.room(total), ChannelsAmountTooLarge(amount));
    total += amount;
    _channels[id] = ChannelSlot.pack(total, slot.claimed(), 0, epoch);
    if (fresh) {
      emit Opened(id, payer, terms.payee, terms.token, terms.signer, terms.notice, uint24(epoch), uint96(total));
    } else {
      emit ToppedUp(id, uint96(total));
    }
  }

  function _claim(
    address payee,
    address token,
    uint32 notice,
    ClaimRow[] calldata rows
  ) private returns (uint256 total) {
    bytes32 domain = _domainSeparatorV4();
    for (uint256 i = 0; i < rows.length; ++i) {
      (bytes32 id, uint256 slot, uint256 paid, uint8 reason) = _judge(domain, payee, token, notice, rows[i]);
      if (reason == OK) {
        // paid = due(..) keeps claimed <= deposit < 2^96
        uint256 claimed = slot.claimed() + paid;
        _channels[id] = ChannelSlot.pack(slot.deposit(), claimed, slot.closesAt(), slot.epoch());
        total += paid;
        emit Claimed(id, payee, uint96(claimed));
      } else {
        emit Skipped(id, payee, reason);
      }
    }
  }

  function _closeByPayee(address token, uint32 notice, ClaimRow[] calldata rows) private returns (uint256 total) {
    bytes32 domain = _domainSeparatorV4();
    for (uint256 i = 0; i < rows.length; ++i) {
      ClaimRow calldata row = rows[i];
      (bytes32 id, uint256 slot, uint256 paid, uint8 reason) = _judge(domain, msg.sender, token, notice, row);
      if (reason == OK || reason == NOTHING_NEW) {
        total += paid;
        _credit(token, row.payer, _close(id, msg.sender, slot, paid));
      } else {
        emit Skipped(id, msg.sender, reason);
      }
    }
  }

  /// @dev Closes a channel after a last payment of `paid`, which `due` allowed, and says what is the payer's.
  function _close(bytes32 id, address payee, uint256 slot, uint256 paid) private returns (uint256 refund) {
    uint256 claimed = slot.claimed() + paid;
    refund = ChannelMath.rest(slot.deposit(), claimed);
    // the epoch stays, so the next one is another and the word is never zero again
    _channels[id] = ChannelSlot.pack(0, 0, 0, slot.epoch());
    emit Closed(id, payee, uint96(claimed), uint96(refund));
  }

  function _finalize(Terms calldata terms) private returns (uint256) {
    (bytes32 id, uint256 slot) = _loadOpen(terms);
    uint256 closesAt = slot.closesAt();
    require(closesAt != 0, ChannelsNotClosing(id));
    require(block.timestamp >= closesAt, ChannelsNoticeRunning(id, uint40(closesAt), block.timestamp));
    return _close(id, terms.payee, slot, 0);
  }

  /// @dev The caller's open channel of these terms.
  function _loadOpen(Terms calldata terms) private view returns (bytes32 id, uint256 slot) {
    id = _idOf(msg.sender, terms);
    slot = _channels[id];
    require(slot.deposit() != 0, ChannelsNotOpen(id));
  }

  /// @dev What one row is worth, and why it is worth nothing. The signature is the last thing to be looked at.
  function _judge(
    bytes32 domain,
    address payee,
    address token,
    uint32 notice,
    ClaimRow calldata row
  ) private view returns (bytes32 id, uint256 slot, uint256 paid, uint8 reason) {
    id = keccak256(abi.encode(row.payer, payee, token, row.signer, notice));
    slot = _channels[id];
    if (slot.deposit() == 0) return (id, slot, 0, NOT_OPEN);
    paid = ChannelMath.due(slot.deposit(), slot.claimed(), row.amount);
    if (paid == 0) return (id, slot, 0, NOTHING_NEW);
    bytes32 hash = _voucherDigest(domain, id, uint24(slot.epoch()), row.amount);
    // an open channel's signer is not zero, so a failed recovery (zero) never matches
    (address recovered, , ) = ECDSA.tryRecover(hash, row.r, row.vs);
    if (recovered != row.signer) return (id, slot, 0, BAD_SIGNATURE);
  }

  function _checkTerms(Terms memory terms) private view {
    require(terms.payee != address(0) && terms.signer != address(0), ChannelsZeroAddress());
    require(
      terms.notice >= minimumNotice && terms.notice <= maximumNotice,
      ChannelsBadNotice(terms.notice, minimumNotice, maximumNotice)
    );
  }

  function _idOf(address payer, Terms memory terms) private pure returns (bytes32) {
    return keccak256(abi.encode(payer, terms));
  }

  function _voucherDigest(bytes32 domain, bytes32 id, uint24 epoch, uint96 amount) private pure returns (bytes32) {
    return MessageHashUtils.toTypedDataHash(domain, keccak256(abi.encode(VOUCHER_TYPEHASH, id, epoch, amount)));
  }
}
