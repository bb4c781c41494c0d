// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IPaymentChannels} from "./interfaces/IPaymentChannels.sol";

/// @title The vault of the payment channels: where money comes in, lies, and goes out
/// @notice Described in IPaymentChannels.
/// @dev Every inflow is `nonReentrant`: it measures balances around a foreign call. Outflows are not: they do all their
/// book-keeping before their one foreign call.
abstract contract Vault is IPaymentChannels, ReentrancyGuardTransient {
  using SafeERC20 for IERC20;

  /// @dev A struct, because a reference to it costs two hashes where reading and writing the mappings cost four.
  struct Balance {
    uint256 amount;
  }

  /// @dev The token of the chain's own coin.
  address private constant COIN = address(0);

  /// @dev The one token whose transfers are known to move exactly their amount.
  address internal immutable _mft;

  mapping(address token => mapping(address owner => Balance balance)) private _vault;

  constructor(address mft_) {
    _mft = mft_;
  }

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
  function withdraw(address token, address to, uint256 amount) external {
    _checkRecipient(to);
    require(amount != 0, ChannelsZeroAmount());
    uint256 balance = _debit(token, amount);
    emit Withdrawn(msg.sender, token, to, balance);
    _pay(token, to, amount);
  }

  /// @inheritdoc IPaymentChannels
  function vaults(address[] calldata tokens, address owner) external view returns (uint256[] memory list) {
    list = new uint256[](tokens.length);
    for (uint256 i = 0; i < tokens.length; ++i) list[i] = _vault[tokens[i]][owner].amount;
  }

  function _credit(address token, address owner, uint256 amount) internal {
    if (amount != 0) _vault[token][owner].amount += amount;
  }

  function _debit(address token, uint256 amount) internal returns (uint256 balance) {
    Balance storage vault = _vault[token][msg.sender];
    uint256 before = vault.amount;
    require(before >= amount, ChannelsInsufficientVault(before, amount));
    unchecked {
      balance = before - amount;
    }
    vault.amount = balance;
  }

  /// @dev The one foreign call of an outflow, always the last thing it does. What a recipient of the coin returns is
  /// not copied, so it cannot make the call dear.
  function _pay(address token, address to, uint256 amount) internal {
    if (token == COIN) {
      require(LowLevelCall.callNoReturn(to, amount, ""), ChannelsCoinRefused(to, amount));
    } else {
      IERC20(token).safeTransfer(to, amount);
    }
  }

  /// @dev Takes `amount` from the caller and says what arrived. Callers hold the guard, so no other inflow can be
  /// counted twice; an outflow in between only lowers the difference. Of MFT arrives what is sent: not to measure it
  /// saves 2 k gas.
  function _pull(address token, uint256 amount) internal returns (uint256 received) {
    if (token == COIN) {
      require(msg.value == amount, ChannelsWrongValue(msg.value, amount));
      return amount;
    }
    require(msg.value == 0, ChannelsWrongValue(msg.value, 0));
    if (token == _mft) {
      IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
      return amount;
    }
    uint256 before = IERC20(token).balanceOf(address(this));
    IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
    return IERC20(token).balanceOf(address(this)) - before;
  }

  function _vaultOf(address token) internal view returns (mapping(address owner => Balance balance) storage) {
    return _vault[token];
  }

  function _checkRecipient(address to) internal view {
    require(to != address(0) && to != address(this), ChannelsBadRecipient(to));
  }

  function _deposit(address token, address owner, uint256 amount) private {
    uint256 received = _pull(token, amount);
    require(received != 0, ChannelsZeroAmount());
    Balance storage vault = _vault[token][owner];
    uint256 balance = vault.amount + received;
    vault.amount = balance;
    emit Deposited(owner, token, balance);
  }
}
