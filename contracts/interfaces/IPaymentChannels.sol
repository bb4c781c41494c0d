// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC1363Receiver} from "@openzeppelin/contracts/interfaces/IERC1363Receiver.sol";
import {IPermits} from "./IPermits.sol";

/// @title Payment channels
/// @notice Unidirectional channels with cumulative EIP-712 vouchers, claimed in batches into a vault.
///
/// A channel is known by `id = keccak256(abi.encode(payer, payee, token, signer, notice))`. Nothing of this is stored:
/// callers pass it and the hash checks it. `signer` is the key that signs vouchers (an EOA, hot; it can only pay this
/// payee), `notice` the seconds the payee has to claim after the payer asked to close. `token` is an ERC-20, or the
/// zero address for the chain's own coin.
///
/// A channel is open when its deposit is not zero. Its epoch grows each time it is opened anew, so a voucher of an
/// older epoch never revives. Within an epoch deposit and claimed only grow, and claimed never passes deposit.
///
/// Vouchers: Voucher(bytes32 channelId,uint24 epoch,uint96 amount), amount cumulative within the epoch, signed by
/// `signer` as a 64-byte EIP-2098 signature with low s. A claim pays min(amount, deposit) - claimed: a voucher is never
/// used up, so what a too small deposit did not cover can be claimed after a top-up.
/// Releases: Release(bytes32 channelId,uint24 epoch,uint96 finalAmount), signed by the payee (an EOA), let the payer
/// close in one transaction. A payee who signed one takes no more vouchers of that epoch.
/// The domain is ("Mainframe PaymentChannels", "1", chainId, this contract).
///
/// Claims and refunds are credited to `vault[token][owner]` and pulled by their owner, or spent on new channels. Only
/// where the caller is the one who is paid may the money leave at once (claimTo, closeByPayeeTo, finalizeTo): these do
/// not touch the vault and emit no Withdrawn.
///
/// Events carry totals and no differences, so a lost log heals itself with the next one.
///
/// Assumptions about a token, each of which can hurt only its own users:
/// - Balances move only by transfers. If the token takes a fee, the measured difference is credited; if balances
///   shrink by themselves, or the token lies, its last users to withdraw are left with less.
/// - A token that blocks somebody blocks his withdrawals, and nobody else's claims, closings or refunds.
/// - Tokens that call back meet a guard on every inflow, and outflows that have done their book-keeping first.
interface IPaymentChannels is IERC1363Receiver, IPermits {
  /// @notice What the caller, as the payer, agrees with a payee; together with him it makes the channel's id.
  /// @param payee Whom the channel pays.
  /// @param token ERC-20, or the zero address for the chain's coin.
  /// @param signer The EOA whose signature makes a voucher.
  /// @param notice Seconds between requestClose and finalize, from `minimumNotice` to `maximumNotice`.
  struct Terms {
    address payee;
    address token;
    address signer;
    uint32 notice;
  }

  /// @notice The one storage slot of a channel.
  /// @param deposit Paid in within this epoch; zero: the channel is closed.
  /// @param claimed Paid to the payee within this epoch.
  /// @param closesAt Unix seconds from which the payer may finalize; zero: no close was requested.
  /// @param epoch How often the channel was opened.
  struct Channel {
    uint96 deposit;
    uint96 claimed;
    uint40 closesAt;
    uint24 epoch;
  }

  /// @notice A voucher of one channel in a batch of one payee, token and notice; r and vs as in EIP-2098.
  struct ClaimRow {
    address payer;
    address signer;
    uint96 amount;
    bytes32 r;
    bytes32 vs;
  }

  /// @notice A channel to open or top up from the caller's vault; expectedEpoch as in `open`.
  struct OpenRow {
    address payee;
    address signer;
    uint96 amount;
    uint24 expectedEpoch;
  }

  /// @notice A channel was opened; a new epoch began.
  event Opened(
    bytes32 indexed id,
    address indexed payer,
    address indexed payee,
    address token,
    address signer,
    uint32 notice,
    uint24 epoch,
    uint96 deposit
  );

  /// @notice The deposit of an open channel grew to `deposit`.
  event ToppedUp(bytes32 indexed id, uint96 deposit);

  /// @notice The payee was paid; `claimed` is the epoch's total.
  event Claimed(bytes32 indexed id, address indexed payee, uint96 claimed);

  /// @notice A row of a batch did nothing: 1 the channel is not open, 2 nothing new (amount <= claimed, or the whole
  /// deposit is claimed), 3 bad signature.
  /// @dev Anybody can provoke it for any id: read it in one's own receipt only.
  event Skipped(bytes32 indexed id, address indexed payee, uint8 reason);

  /// @notice The payer asked to close and may finalize from `closesAt` on.
  event CloseRequested(bytes32 indexed id, address indexed payee, uint40 closesAt);

  /// @notice The payer took his wish to close back.
  event CloseCancelled(bytes32 indexed id);

  /// @notice The channel closed. `claimed` is the epoch's total, including what this close paid (no Claimed goes with
  /// it); `refunded` went to the payer.
  event Closed(bytes32 indexed id, address indexed payee, uint96 claimed, uint96 refunded);

  /// @notice The owner's vault was credited with what arrived, and holds `balance` now.
  event Deposited(address indexed owner, address token, uint256 balance);

  /// @notice `to` was paid from the owner's vault, which holds `balance` now.
  event Withdrawn(address indexed owner, address token, address to, uint256 balance);

  /// @notice The amount is zero, or nothing arrived.
  error ChannelsZeroAmount();
  /// @notice The amount does not fit 96 bits, alone or with the deposit there is.
  error ChannelsAmountTooLarge(uint256 amount);
  /// @notice The coin sent with the call is not what the call needs.
  error ChannelsWrongValue(uint256 sent, uint256 needed);
  /// @notice The payee or the signer or the owner is the zero address.
  error ChannelsZeroAddress();
  /// @notice The notice is out of bounds.
  error ChannelsBadNotice(uint256 notice, uint256 minimum, uint256 maximum);
  /// @notice The recipient is the zero address or this contract.
  error ChannelsBadRecipient(address to);
  /// @notice The deposit would have ended in another epoch than expected.
  error ChannelsWrongEpoch(bytes32 id, uint24 epoch, uint24 expected);
  /// @notice The channel is about to close.
  error ChannelsClosing(bytes32 id, uint40 closesAt);
  /// @notice No close was requested.
  error ChannelsNotClosing(bytes32 id);
  /// @notice The notice has not passed.
  error ChannelsNoticeRunning(bytes32 id, uint40 closesAt, uint256 timestamp);
  /// @notice The channel is not open.
  error ChannelsNotOpen(bytes32 id);
  /// @notice The release pays more than the deposit.
  error ChannelsAboveDeposit(bytes32 id, uint96 amount, uint96 deposit);
  /// @notice The release is not signed by the payee for this epoch and amount.
  error ChannelsBadRelease(bytes32 id, address recovered);
  /// @notice The vault holds less than needed.
  error ChannelsInsufficientVault(uint256 balance, uint256 needed);
  /// @notice No rows.
  error ChannelsNoRows();
  /// @notice The recipient refused the coin.
  error ChannelsCoinRefused(address to, uint256 amount);
  /// @notice Only MFT may call `onTransferReceived`.
  error ChannelsWrongToken(address caller);

  /// @notice Credits the caller's vault with what arrives of `amount`.
  function deposit(address token, uint256 amount) external payable;

  /// @notice Credits somebody's vault with what arrives of `amount` from the caller.
  function depositFor(address token, address owner, uint256 amount) external payable;

  /// @notice Pays `amount` from the caller's vault to `to`.
  function withdraw(address token, address to, uint256 amount) external;

  /// @notice Opens a channel of the caller, or adds to it, with what arrives of `amount`; reverts while it is closing.
  /// @param expectedEpoch The epoch in which the deposit must end up, 0 for any: a top-up that meets a channel that was
  /// closed meanwhile does not start a new epoch by accident.
  /// @return id The channel.
  function open(Terms calldata terms, uint96 amount, uint24 expectedEpoch) external payable returns (bytes32 id);

  /// @notice `open` of a token with ERC-2612 permits.
  function openWithPermit(
    Terms calldata terms,
    uint96 amount,
    uint24 expectedEpoch,
    Permit calldata permit
  ) external returns (bytes32 id);

  /// @notice Opens or tops up a channel of `from` in MFT, within MFT's `transferAndCall`.
  /// @dev `data` is abi.encode(address payee, address signer, uint32 notice). Only MFT may call: a callback cannot
  /// measure what arrived, and a token that forwards bytes of the caller's choice could forge it.
  function onTransferReceived(
    address operator,
    address from,
    uint256 value,
    bytes calldata data
  ) external returns (bytes4);

  /// @notice Opens or tops up channels from the caller's vault; all of them or none.
  function openFromVault(address token, uint32 notice, OpenRow[] calldata rows) external;

  /// @notice Claims for `payee`, into his vault; anybody may call. Bad rows are skipped.
  /// @return paid The sum of all rows.
  function claim(address payee, address token, uint32 notice, ClaimRow[] calldata rows) external returns (uint256 paid);

  /// @notice Claims for the caller, and pays the sum to `to`; a sum of zero is no error. Bad rows are skipped.
  /// @return paid The sum of all rows.
  function claimTo(address token, uint32 notice, ClaimRow[] calldata rows, address to) external returns (uint256 paid);

  /// @notice Claims for the caller and closes: his sum to his vault, the rest of each channel to its payer's vault.
  /// @dev A row with a bad signature leaves its channel open. A row with nothing new, its signature unread, closes it.
  /// @return paid The payee's sum.
  function closeByPayee(address token, uint32 notice, ClaimRow[] calldata rows) external returns (uint256 paid);

  /// @notice `closeByPayee` that pays the caller's sum to `to`.
  function closeByPayeeTo(
    address token,
    uint32 notice,
    ClaimRow[] calldata rows,
    address to
  ) external returns (uint256 paid);

  /// @notice The payer closes at once with the payee's consent: the payee ends with max(claimed, finalAmount), the rest
  /// goes to the payer's vault.
  /// @param r With `vs` the payee's EIP-2098 signature of Release(id, epoch, finalAmount).
  function closeWithRelease(Terms calldata terms, uint96 finalAmount, bytes32 r, bytes32 vs) external;

  /// @notice The payer starts the notice.
  function requestClose(Terms calldata terms) external;

  /// @notice The payer stops the notice.
  function cancelClose(Terms calldata terms) external;

  /// @notice The payer closes after the notice; the rest goes to his vault.
  function finalize(Terms calldata terms) external;

  /// @notice The payer closes after the notice; the rest is paid to `to`.
  function finalizeTo(Terms calldata terms, address to) external;

  /// @notice The slots of these channels, in their order.
  function slots(bytes32[] calldata ids) external view returns (Channel[] memory);

  /// @notice What the owner's vaults hold, in the order of `tokens`.
  function vaults(address[] calldata tokens, address owner) external view returns (uint256[] memory);

  /// @notice What `claim` would pay now, row by row and together; zero for a row that would be skipped.
  /// @dev Rows are looked at one by one: of two rows of one channel each counts as if the other were not there.
  function claimable(
    address payee,
    address token,
    uint32 notice,
    ClaimRow[] calldata rows
  ) external view returns (uint256 total, uint96[] memory each);

  /// @notice The EIP-712 digest of a voucher.
  function digest(bytes32 id, uint24 epoch, uint96 amount) external view returns (bytes32);

  /// @notice The EIP-712 digest of a release.
  function releaseDigest(bytes32 id, uint24 epoch, uint96 finalAmount) external view returns (bytes32);

  /// @notice What was fixed at deployment.
  /// @return mft The token whose `transferAndCall` is accepted.
  /// @return minimumNotice In seconds.
  /// @return maximumNotice In seconds.
  function immutables() external view returns (address mft, uint32 minimumNotice, uint32 maximumNotice);

  /// @notice keccak256(abi.encode(payer, payee, token, signer, notice)).
  function idOf(address payer, Terms calldata terms) external pure returns (bytes32);
}
