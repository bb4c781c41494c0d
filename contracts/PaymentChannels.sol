// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC1363Receiver} from "@openzeppelin/contracts/interfaces/IERC1363Receiver.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {StorageSlot} from "@openzeppelin/contracts/utils/StorageSlot.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {Vault} from "./Vault.sol";
import {IPaymentChannels} from "./interfaces/IPaymentChannels.sol";
import {ChannelId} from "./libraries/ChannelId.sol";
import {ChannelMath} from "./libraries/ChannelMath.sol";
import {ChannelSlot} from "./libraries/ChannelSlot.sol";
import {CompactSignature} from "./libraries/CompactSignature.sol";
import {Keccak} from "./libraries/Keccak.sol";

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

  uint256 private immutable _minimumNotice;
  uint256 private immutable _maximumNotice;

  /// @param mft_ The token whose transfers are known to be exact, and the only one whose `transferAndCall` is accepted.
  /// @param minimumNotice_ In seconds, not zero.
  /// @param maximumNotice_ In seconds.
  constructor(
    address mft_,
    uint32 minimumNotice_,
    uint32 maximumNotice_
  ) Vault(mft_) EIP712("Mainframe PaymentChannels", "1") {
    require(
      minimumNotice_ != 0 && minimumNotice_ <= maximumNotice_,
      ChannelsBadNotice(minimumNotice_, 1, maximumNotice_)
    );
    _minimumNotice = minimumNotice_;
    _maximumNotice = maximumNotice_;
  }

  /// @inheritdoc IPaymentChannels
  function open(
    Terms calldata terms,
    uint96 amount,
    uint24 expectedEpoch
  ) external payable nonReentrant returns (bytes32) {
    return _open(terms, amount, expectedEpoch);
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
    return _open(terms, amount, expectedEpoch);
  }

  /// @inheritdoc IPaymentChannels
  function onTransferReceived(
    address /* operator */,
    address from,
    uint256 value,
    bytes calldata data
  ) external nonReentrant returns (bytes4) {
    require(msg.sender == _mft, ChannelsWrongToken(msg.sender));
    (address payee, address signer, uint32 notice) = abi.decode(data, (address, address, uint32));
    bytes32 id = ChannelId.hash(from, payee, _mft, signer, notice);
    _fund(id, from, payee, _mft, signer, notice, value, 0);
    return IERC1363Receiver.onTransferReceived.selector;
  }

  /// @inheritdoc IPaymentChannels
  function openFromVault(address token, uint32 notice, OpenRow[] calldata rows) external nonReentrant {
    require(rows.length != 0, ChannelsNoRows());
    uint256 sum = 0;
    for (uint256 i = 0; i < rows.length; ++i) {
      OpenRow calldata row = rows[i];
      (address payee, address signer, uint256 amount) = (row.payee, row.signer, row.amount);
      bytes32 id = ChannelId.hash(msg.sender, payee, token, signer, notice);
      _fund(id, msg.sender, payee, token, signer, notice, amount, row.expectedEpoch);
      // each is less than 2^96
      unchecked {
        sum += amount;
      }
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
    if (paid != 0) _pay(token, to, paid);
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
    if (paid != 0) _pay(token, to, paid);
  }

  /// @inheritdoc IPaymentChannels
  function closeWithRelease(Terms calldata terms, uint96 finalAmount, bytes32 r, bytes32 vs) external {
    (bytes32 id, StorageSlot.Uint256Slot storage slot, uint256 word) = _loadOpen(terms);
    uint256 total = word.deposit();
    require(finalAmount <= total, ChannelsAboveDeposit(id, finalAmount, uint96(total)));
    address recovered = CompactSignature.recover(releaseDigest(id, uint24(word.epoch()), finalAmount), r, vs);
    require(recovered == terms.payee, ChannelsBadRelease(id, recovered));
    uint256 paid = ChannelMath.due(total, word.claimed(), finalAmount);
    uint256 refund = _close(id, terms.payee, slot, word.paidOut(paid));
    _credit(terms.token, terms.payee, paid);
    _credit(terms.token, msg.sender, refund);
  }

  /// @inheritdoc IPaymentChannels
  function requestClose(Terms calldata terms) external {
    (bytes32 id, StorageSlot.Uint256Slot storage slot, uint256 word) = _loadOpen(terms);
    require(word.closesAt() == 0, ChannelsClosing(id, uint40(word.closesAt())));
    uint256 closesAt = block.timestamp + terms.notice;
    slot.value = word.closing(closesAt);
    emit CloseRequested(id, terms.payee, uint40(closesAt));
  }

  /// @inheritdoc IPaymentChannels
  function cancelClose(Terms calldata terms) external {
    (bytes32 id, StorageSlot.Uint256Slot storage slot, uint256 word) = _loadOpen(terms);
    require(word.closesAt() != 0, ChannelsNotClosing(id));
    slot.value = word.reopened();
    emit CloseCancelled(id);
  }

  /// @inheritdoc IPaymentChannels
  function finalize(Terms calldata terms) external {
    _credit(terms.token, msg.sender, _finalize(terms));
  }

  /// @inheritdoc IPaymentChannels
  function finalizeTo(Terms calldata terms, address to) external {
    _checkRecipient(to);
    uint256 refund = _finalize(terms);
    if (refund != 0) _pay(terms.token, to, refund);
  }

  /// @inheritdoc IPaymentChannels
  function slots(bytes32[] calldata ids) external view returns (Channel[] memory list) {
    list = new Channel[](ids.length);
    for (uint256 i = 0; i < ids.length; ++i) list[i] = _slot(ids[i]).value.unpack();
  }

  /// @inheritdoc IPaymentChannels
  function claimable(
    address payee,
    address token,
    uint32 notice,
    ClaimRow[] calldata rows
  ) external view returns (uint256 total, uint96[] memory each) {
    bytes32 domain = _domainSeparatorV4();
    ChannelId.Key memory key = _keyOf(payee, token, notice);
    each = new uint96[](rows.length);
    for (uint256 i = 0; i < rows.length; ++i) {
      (, , , uint256 due, ) = _judge(domain, key, rows[i]);
      each[i] = uint96(due);
      total += due;
    }
  }

  /// @inheritdoc IPaymentChannels
  function digest(bytes32 id, uint24 epoch, uint96 amount) external view returns (bytes32) {
    return _digest(_domainSeparatorV4(), VOUCHER_TYPEHASH, id, epoch, amount);
  }

  /// @inheritdoc IPaymentChannels
  function immutables() external view returns (address mft, uint32 minimumNotice, uint32 maximumNotice) {
    return (_mft, uint32(_minimumNotice), uint32(_maximumNotice));
  }

  /// @inheritdoc IPaymentChannels
  function idOf(address payer, Terms calldata terms) external pure returns (bytes32) {
    return ChannelId.hash(payer, terms);
  }

  /// @inheritdoc IPaymentChannels
  function releaseDigest(bytes32 id, uint24 epoch, uint96 finalAmount) public view returns (bytes32) {
    return _digest(_domainSeparatorV4(), RELEASE_TYPEHASH, id, epoch, finalAmount);
  }

  function _open(Terms calldata terms, uint256 amount, uint256 expectedEpoch) private returns (bytes32 id) {
    address token = terms.token;
    uint256 received = _pull(token, amount);
    id = ChannelId.hash(msg.sender, terms);
    _fund(id, msg.sender, terms.payee, token, terms.signer, terms.notice, received, expectedEpoch);
  }

  /// @dev Guards, effects and event of every way to open or top up; the money is here already, or leaves the vault.
  function _fund(
    bytes32 id,
    address payer,
    address payee,
    address token,
    address signer,
    uint256 notice,
    uint256 amount,
    uint256 expectedEpoch
  ) private {
    StorageSlot.Uint256Slot storage slot = _slot(id);
    uint256 word = slot.value;
    uint256 total = word.deposit();
    uint256 epoch = word.epoch();
    bool fresh = total == 0;
    if (fresh) {
      // the terms of an open channel were checked when it was opened
      _checkTerms(payee, signer, notice);
      // overflow reverts: a channel that was opened 2^24 times opens no more, so no voucher ever revives
      epoch = uint24(epoch) + 1;
    } else {
      require(word.closesAt() == 0, ChannelsClosing(id, uint40(word.closesAt())));
    }
    require(expectedEpoch == 0 || expectedEpoch == epoch, ChannelsWrongEpoch(id, uint24(epoch), uint24(expectedEpoch)));
    require(amount != 0, ChannelsZeroAmount());
    require(amount <= ChannelMath.room(total), ChannelsAmountTooLarge(amount));
    if (fresh) {
      slot.value = ChannelSlot.opened(amount, epoch);
      emit Opened(id, payer, payee, token, signer, uint32(notice), uint24(epoch), uint96(amount));
    } else {
      word = word.toppedUp(amount);
      slot.value = word;
      emit ToppedUp(id, uint96(word.deposit()));
    }
  }

  function _claim(
    address payee,
    address token,
    uint32 notice,
    ClaimRow[] calldata rows
  ) private returns (uint256 total) {
    bytes32 domain = _domainSeparatorV4();
    ChannelId.Key memory key = _keyOf(payee, token, notice);
    for (uint256 i = 0; i < rows.length; ++i) {
      (bytes32 id, StorageSlot.Uint256Slot storage slot, uint256 word, uint256 paid, uint8 reason) = _judge(
        domain,
        key,
        rows[i]
      );
      if (reason == OK) {
        // paid = due(..) keeps claimed <= deposit < 2^96
        word = word.paidOut(paid);
        slot.value = word;
        // each is less than 2^96
        unchecked {
          total += paid;
        }
        emit Claimed(id, payee, uint96(word.claimed()));
      } else {
        emit Skipped(id, payee, reason);
      }
    }
  }

  function _closeByPayee(address token, uint32 notice, ClaimRow[] calldata rows) private returns (uint256 total) {
    bytes32 domain = _domainSeparatorV4();
    ChannelId.Key memory key = _keyOf(msg.sender, token, notice);
    mapping(address owner => Balance balance) storage vault = _vaultOf(token);
    for (uint256 i = 0; i < rows.length; ++i) {
      (bytes32 id, StorageSlot.Uint256Slot storage slot, uint256 word, uint256 paid, uint8 reason) = _judge(
        domain,
        key,
        rows[i]
      );
      if (reason == OK || reason == NOTHING_NEW) {
        uint256 refund = _close(id, msg.sender, slot, word.paidOut(paid));
        // no sum of what was paid in passes 2^256, unless the token lies: then its own ledger wraps, and no other
        unchecked {
          total += paid;
          if (refund != 0) vault[key.payer].amount += refund;
        }
      } else {
        emit Skipped(id, msg.sender, reason);
      }
    }
  }

  /// @dev Closes a channel, whose last word is `word`, and says what is the payer's.
  function _close(
    bytes32 id,
    address payee,
    StorageSlot.Uint256Slot storage slot,
    uint256 word
  ) private returns (uint256 refund) {
    uint256 claimed = word.claimed();
    refund = ChannelMath.rest(word.deposit(), claimed);
    slot.value = word.closed();
    emit Closed(id, payee, uint96(claimed), uint96(refund));
  }

  function _finalize(Terms calldata terms) private returns (uint256) {
    (bytes32 id, StorageSlot.Uint256Slot storage slot, uint256 word) = _loadOpen(terms);
    uint256 closesAt = word.closesAt();
    require(closesAt != 0, ChannelsNotClosing(id));
    require(block.timestamp >= closesAt, ChannelsNoticeRunning(id, uint40(closesAt), block.timestamp));
    return _close(id, terms.payee, slot, word);
  }

  /// @dev The caller's open channel of these terms.
  function _loadOpen(
    Terms calldata terms
  ) private view returns (bytes32 id, StorageSlot.Uint256Slot storage slot, uint256 word) {
    id = ChannelId.hash(msg.sender, terms);
    slot = _slot(id);
    word = slot.value;
    require(word.deposit() != 0, ChannelsNotOpen(id));
  }

  /// @dev What one row is worth, and why it is worth nothing. The signature is the last thing to be looked at.
  function _judge(
    bytes32 domain,
    ChannelId.Key memory key,
    ClaimRow calldata row
  ) private view returns (bytes32 id, StorageSlot.Uint256Slot storage slot, uint256 word, uint256 paid, uint8 reason) {
    address signer = row.signer;
    uint256 amount = row.amount;
    (key.payer, key.signer) = (row.payer, signer);
    id = ChannelId.hash(key);
    slot = _slot(id);
    word = slot.value;
    if (word.deposit() == 0) return (id, slot, word, 0, NOT_OPEN);
    paid = ChannelMath.due(word.deposit(), word.claimed(), amount);
    if (paid == 0) return (id, slot, word, 0, NOTHING_NEW);
    bytes32 hash = _digest(domain, VOUCHER_TYPEHASH, id, word.epoch(), amount);
    // an open channel's signer is not zero, so a failed recovery (zero) never matches
    if (CompactSignature.recover(hash, row.r, row.vs) != signer) return (id, slot, word, 0, BAD_SIGNATURE);
  }

  function _checkTerms(address payee, address signer, uint256 notice) private view {
    require(payee != address(0) && signer != address(0), ChannelsZeroAddress());
    require(
      notice >= _minimumNotice && notice <= _maximumNotice,
      ChannelsBadNotice(notice, _minimumNotice, _maximumNotice)
    );
  }

  /// @dev What all rows of a batch share.
  function _keyOf(address payee, address token, uint32 notice) private pure returns (ChannelId.Key memory key) {
    (key.payee, key.token, key.notice) = (payee, token, notice);
  }

  /// @dev EIP-712's digest of a Voucher or a Release, which are made alike.
  function _digest(
    bytes32 domain,
    bytes32 typeHash,
    bytes32 id,
    uint256 epoch,
    uint256 amount
  ) private pure returns (bytes32) {
    bytes32 structHash = Keccak.hash(typeHash, id, bytes32(epoch), bytes32(amount));
    return MessageHashUtils.toTypedDataHash(domain, structHash);
  }

  /// @dev Where a channel's word of ChannelSlot lies: at its id, a hash that needs no mapping to be hashed once more.
  function _slot(bytes32 id) private pure returns (StorageSlot.Uint256Slot storage) {
    return StorageSlot.getUint256Slot(id);
  }
}
