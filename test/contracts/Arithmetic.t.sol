// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ChannelMath} from "../../contracts/libraries/ChannelMath.sol";
import {ChannelSlot} from "../../contracts/libraries/ChannelSlot.sol";
import {PriceSchedule} from "../../contracts/libraries/PriceSchedule.sol";
import {IPaymentChannels} from "../../contracts/interfaces/IPaymentChannels.sol";

/// @notice The pure libraries, for any input.
contract ArithmeticTest {
  using ChannelSlot for uint256;
  using PriceSchedule for uint256;

  IPaymentChannels.Channel private _stored;

  function testFuzz_due_never_passes_deposit(uint96 deposit, uint96 claimed, uint96 amount) public pure {
    if (claimed > deposit) (deposit, claimed) = (claimed, deposit);
    uint256 due = ChannelMath.due(deposit, claimed, amount);
    assert(claimed + due <= deposit);
    assert(due == 0 || claimed + due == amount || claimed + due == deposit);
    assert(due + ChannelMath.rest(deposit, claimed + due) == uint256(deposit) - claimed);
  }

  function testFuzz_claims_in_either_order_pay_alike(uint96 deposit, uint96 claimed, uint96 a, uint96 b) public pure {
    if (claimed > deposit) (deposit, claimed) = (claimed, deposit);
    uint256 ab = claimed + ChannelMath.due(deposit, claimed, a);
    ab += ChannelMath.due(deposit, ab, b);
    uint256 ba = claimed + ChannelMath.due(deposit, claimed, b);
    ba += ChannelMath.due(deposit, ba, a);
    assert(ab == ba);
    assert(ChannelMath.due(deposit, ab, a) == 0 && ChannelMath.due(deposit, ab, b) == 0);
  }

  function testFuzz_a_top_up_only_adds(uint96 deposit, uint96 claimed, uint96 amount, uint96 more) public pure {
    if (claimed > deposit) (deposit, claimed) = (claimed, deposit);
    uint256 room = ChannelMath.room(deposit);
    assert(uint256(deposit) + room == type(uint96).max);
    uint256 added = more < room ? more : room;
    assert(ChannelMath.due(deposit + added, claimed, amount) >= ChannelMath.due(deposit, claimed, amount));
  }

  function testFuzz_slot_is_the_struct(IPaymentChannels.Channel calldata channel) public {
    _stored = channel;
    uint256 slot;
    assembly ("memory-safe") {
      slot := sload(_stored.slot)
    }
    assert(slot.deposit() == channel.deposit && slot.claimed() == channel.claimed);
    assert(slot.closesAt() == channel.closesAt && slot.epoch() == channel.epoch);
    assert(keccak256(abi.encode(slot.unpack())) == keccak256(abi.encode(channel)));
  }

  /// @notice A channel's whole life moves one field at a time.
  function testFuzz_slot_changes_touch_no_other_field(
    uint96 first,
    uint96 more,
    uint96 voucher,
    uint40 closesAt,
    uint24 epoch
  ) public pure {
    uint256 slot = ChannelSlot.opened(first, epoch);
    _expect(slot, first, 0, 0, epoch);
    uint256 added = more < ChannelMath.room(first) ? more : ChannelMath.room(first);
    uint256 deposit = first + added;
    slot = slot.toppedUp(added);
    _expect(slot, deposit, 0, 0, epoch);
    uint256 paid = ChannelMath.due(deposit, 0, voucher);
    slot = slot.paidOut(paid);
    _expect(slot, deposit, paid, 0, epoch);
    slot = slot.closing(closesAt);
    _expect(slot, deposit, paid, closesAt, epoch);
    uint256 rest = ChannelMath.rest(deposit, paid);
    _expect(slot.paidOut(rest), deposit, deposit, closesAt, epoch);
    _expect(slot.reopened(), deposit, paid, 0, epoch);
    _expect(slot.closed(), 0, 0, 0, epoch);
  }

  /// @notice No change of an active row makes any moment before the delay dearer than it was.
  function testFuzz_a_price_never_rises_within_the_delay(
    uint96[4] calldata wishes,
    uint16[4] calldata pauses,
    uint16 delay,
    uint32 moment
  ) public pure {
    uint256 time = 1_700_000_000;
    uint256 schedule = 0;
    for (uint256 i = 0; i < wishes.length; ++i) {
      uint96 wish = wishes[i] == 0 ? 1 : wishes[i];
      uint256 later = time + delay;
      uint256 changed = schedule.set(wish, 3, time, later);
      if (schedule != 0 && delay != 0) {
        uint256 before = time + (moment % delay);
        assert(changed.priceAt(before) <= schedule.priceAt(before));
      }
      assert(changed.priceAt(later) == wish);
      assert(changed.active() && changed.unit() == 3 && changed.nextFrom() <= later);
      schedule = changed;
      time += pauses[i];
    }
  }

  function testFuzz_a_new_unit_waits(uint96 wish, uint8 unit, uint8 other, uint16 delay) public pure {
    if (wish == 0 || unit == other || delay == 0) return;
    uint256 time = 1_700_000_000;
    uint256 schedule = uint256(0).set(wish, unit, time, time);
    assert(schedule.priceAt(time) == wish);
    uint256 changed = schedule.set(wish, other, time, time + delay);
    assert(changed.priceAt(time + delay - 1) == 0);
    assert(changed.priceAt(time + delay) == wish && changed.unit() == other);
  }

  function _expect(uint256 slot, uint256 deposit, uint256 claimed, uint256 closesAt, uint256 epoch) private pure {
    assert(slot.deposit() == deposit);
    assert(slot.claimed() == claimed);
    assert(slot.closesAt() == closesAt);
    assert(slot.epoch() == epoch);
  }
}
