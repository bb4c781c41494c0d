// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {MainframeToken} from "../../../contracts/MainframeToken.sol";
import {PaymentChannels} from "../../../contracts/PaymentChannels.sol";
import {IPaymentChannels} from "../../../contracts/interfaces/IPaymentChannels.sol";
import {HonestToken} from "../mocks/HonestToken.sol";
import {CHEATS} from "./Cheats.sol";

/// @notice Who and what there is: three payers with a channel to each of two payees in the coin, MFT and an honest token,
/// eighteen channels in all, and everything about them that can be seen.
abstract contract World {
  /// @notice Everything at one moment; `vaults` and `wallets` by token * OWNERS + owner, `custody` by token.
  struct Snapshot {
    IPaymentChannels.Channel[] channels;
    uint256[] vaults;
    uint256[] wallets;
    uint256[] custody;
  }

  uint256 internal constant PAYERS = 3;
  uint256 internal constant PAYEES = 2;
  uint256 internal constant TOKENS = 3;
  uint256 internal constant CHANNELS = PAYERS * PAYEES * TOKENS;
  /// @dev Payers, then payees, then one who is neither.
  uint256 internal constant OWNERS = PAYERS + PAYEES + 1;
  uint256 internal constant OUTSIDER = OWNERS - 1;
  uint256 internal constant MFT_INDEX = 1;
  uint256 internal constant FUNDS = 2 ** 110;

  MainframeToken public mft;
  PaymentChannels public channels;
  address[] internal _tokens;
  address[] internal _owners;
  bytes32[] internal _ids;

  constructor() {
    CHEATS.warp(1_800_000_000);
    mft = new MainframeToken(address(this));
    channels = new PaymentChannels(address(mft), 1 hours, 30 days);
    _tokens = [address(0), address(mft), address(new HonestToken())];
    for (uint256 i = 0; i < OWNERS; ++i) _fund(CHEATS.addr(_ownerKey(i)));
    for (uint256 i = 0; i < CHANNELS; ++i) _ids.push(channels.idOf(_payerOf(i), _termsOf(i)));
  }

  /// @notice Everything there is now.
  function look() public view returns (Snapshot memory all) {
    all.channels = channels.slots(_ids);
    all.vaults = new uint256[](TOKENS * OWNERS);
    all.wallets = new uint256[](TOKENS * OWNERS);
    all.custody = new uint256[](TOKENS);
    for (uint256 owner = 0; owner < OWNERS; ++owner) {
      uint256[] memory held = channels.vaults(_tokens, _owners[owner]);
      for (uint256 token = 0; token < TOKENS; ++token) {
        all.vaults[token * OWNERS + owner] = held[token];
        all.wallets[token * OWNERS + owner] = _balance(token, _owners[owner]);
      }
    }
    for (uint256 token = 0; token < TOKENS; ++token) all.custody[token] = _balance(token, address(channels));
  }

  /// @notice By token, what all vaults and all open channels hold.
  function liabilities() external view returns (uint256[] memory owed) {
    Snapshot memory all = look();
    owed = new uint256[](TOKENS);
    for (uint256 i = 0; i < CHANNELS; ++i) owed[_tokenOf(i)] += all.channels[i].deposit - all.channels[i].claimed;
    for (uint256 i = 0; i < TOKENS * OWNERS; ++i) owed[i / OWNERS] += all.vaults[i];
  }

  function _fund(address owner) private {
    _owners.push(owner);
    CHEATS.deal(owner, FUNDS);
    mft.transfer(owner, mft.totalSupply() / OWNERS);
    IERC20(_tokens[2]).transfer(owner, FUNDS);
    for (uint256 token = 1; token < TOKENS; ++token) {
      CHEATS.prank(owner);
      IERC20(_tokens[token]).approve(address(channels), type(uint256).max);
    }
  }

  function _balance(uint256 token, address owner) internal view returns (uint256) {
    return token == 0 ? owner.balance : IERC20(_tokens[token]).balanceOf(owner);
  }

  function _payerOf(uint256 channel) internal view returns (address) {
    return _owners[channel % PAYERS];
  }

  function _payeeOf(uint256 channel) internal view returns (address) {
    return _owners[PAYERS + ((channel / PAYERS) % PAYEES)];
  }

  function _tokenOf(uint256 channel) internal pure returns (uint256) {
    return channel / (PAYERS * PAYEES);
  }

  function _channelOf(uint256 payer, uint256 payee, uint256 token) internal pure returns (uint256) {
    return (token * PAYEES + payee) * PAYERS + payer;
  }

  function _termsOf(uint256 channel) internal view returns (IPaymentChannels.Terms memory) {
    uint256 token = _tokenOf(channel);
    return
      IPaymentChannels.Terms({
        payee: _payeeOf(channel),
        token: _tokens[token],
        signer: CHEATS.addr(_signerKey(channel % PAYERS)),
        notice: _noticeOf(token)
      });
  }

  function _noticeOf(uint256 token) internal pure returns (uint32) {
    return uint32(token + 1) * 1 hours;
  }

  function _ownerKey(uint256 owner) internal pure returns (uint256) {
    return 0x1000 + owner;
  }

  /// @dev The first payer signs vouchers himself, the others have a hot key.
  function _signerKey(uint256 payer) internal pure returns (uint256) {
    return payer == 0 ? _ownerKey(0) : 0x2000 + payer;
  }

  /// @dev An EIP-2098 signature.
  function _sign(uint256 key, bytes32 digest) internal pure returns (bytes32 r, bytes32 vs) {
    uint8 v;
    (v, r, vs) = CHEATS.sign(key, digest);
    if (v == 28) vs |= bytes32(uint256(1) << 255);
  }
}
