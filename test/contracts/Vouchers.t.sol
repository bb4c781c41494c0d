// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {PaymentChannels} from "../../contracts/PaymentChannels.sol";
import {IPaymentChannels} from "../../contracts/interfaces/IPaymentChannels.sol";
import {CHEATS} from "./invariants/Cheats.sol";

/// @notice One channel of the coin, and any voucher.
contract VouchersTest {
  uint256 private constant KEY = 0x5137;
  uint96 private constant DEPOSIT = 1_000_000;
  uint32 private constant NOTICE = 1 hours;
  address private constant PAYEE = address(0xbeef);

  PaymentChannels private _channels;
  IPaymentChannels.Terms private _terms;
  bytes32 private _id;

  function setUp() external {
    _channels = new PaymentChannels(address(1), NOTICE, NOTICE);
    _terms = IPaymentChannels.Terms({payee: PAYEE, token: address(0), signer: CHEATS.addr(KEY), notice: NOTICE});
    CHEATS.deal(address(this), DEPOSIT);
    _id = _channels.open{value: DEPOSIT}(_terms, DEPOSIT, 1);
  }

  function testFuzz_claims_pay_the_largest_voucher_up_to_the_deposit(uint96[5] calldata amounts) external {
    uint256 largest = 0;
    for (uint256 i = 0; i < amounts.length; ++i) {
      // amounts below, at and above the deposit
      uint96 amount = amounts[i] % (2 * DEPOSIT);
      if (amount > largest) largest = amount;
      _claim(_voucher(1, amount));
      assert(_vault() == (largest < DEPOSIT ? largest : DEPOSIT));
    }
  }

  function testFuzz_a_flipped_bit_pays_nothing(uint96 amount, uint16 bit) external {
    amount = 1 + (amount % (DEPOSIT - 1));
    IPaymentChannels.ClaimRow memory row = _voucher(1, amount);
    uint256 mask = 1 << (bit % 256);
    uint256 field = (bit >> 8) % 3;
    if (field == 0) row.r ^= bytes32(mask);
    if (field == 1) row.vs ^= bytes32(mask);
    if (field == 2) row.amount ^= uint96(1) << uint96(bit % 96);
    _claim(row);
    assert(_vault() == 0);
  }

  function testFuzz_a_voucher_of_another_key_or_epoch_pays_nothing(uint128 key, uint24 epoch, uint96 amount) external {
    if (key != 0 && key != KEY) _claim(_signed(key, 1, amount));
    if (epoch != 1) _claim(_signed(KEY, epoch, amount));
    assert(_vault() == 0);
  }

  function testFuzz_a_voucher_of_another_chain_pays_nothing(uint64 chain, uint96 amount) external {
    if (chain == block.chainid || amount == 0) return;
    IPaymentChannels.ClaimRow memory row = _voucher(1, amount);
    CHEATS.chainId(chain);
    _claim(row);
    assert(_vault() == 0);
    // the domain is that of the chain it runs on
    _claim(_voucher(1, amount));
    assert(_vault() == (amount < DEPOSIT ? amount : DEPOSIT));
  }

  function _voucher(uint24 epoch, uint96 amount) private view returns (IPaymentChannels.ClaimRow memory) {
    return _signed(KEY, epoch, amount);
  }

  function _signed(
    uint256 key,
    uint24 epoch,
    uint96 amount
  ) private view returns (IPaymentChannels.ClaimRow memory row) {
    (uint8 v, bytes32 r, bytes32 vs) = CHEATS.sign(key, _channels.digest(_id, epoch, amount));
    if (v == 28) vs |= bytes32(uint256(1) << 255);
    row = IPaymentChannels.ClaimRow({payer: address(this), signer: _terms.signer, amount: amount, r: r, vs: vs});
  }

  function _claim(IPaymentChannels.ClaimRow memory row) private {
    IPaymentChannels.ClaimRow[] memory rows = new IPaymentChannels.ClaimRow[](1);
    rows[0] = row;
    _channels.claim(PAYEE, address(0), NOTICE, rows);
  }

  function _vault() private view returns (uint256) {
    address[] memory tokens = new address[](1);
    return _channels.vaults(tokens, PAYEE)[0];
  }
}
