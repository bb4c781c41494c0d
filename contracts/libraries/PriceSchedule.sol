// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title How a price changes over time
/// @notice Pure functions on a schedule, which is one word: price in bits 0..95, next in 96..191, nextFrom in 192..231,
/// unit in 232..239, active in bit 240. A schedule that is not active is the zero word.
///
/// The price in force at t is t >= nextFrom ? next : price. Unless a row is new, withdrawn or changes its unit, no
/// change makes the price of any time before now + delay higher than it was before the change.
library PriceSchedule {
  uint256 private constant NEXT_AT = 96;
  uint256 private constant NEXT_FROM_AT = 192;
  uint256 private constant UNIT_AT = 232;
  uint256 private constant ACTIVE = 1 << 240;

  /// @notice In force before `nextFrom`; zero: not for sale until then.
  function price(uint256 self) internal pure returns (uint256) {
    return uint96(self);
  }

  /// @notice In force from `nextFrom` on.
  function next(uint256 self) internal pure returns (uint256) {
    return uint96(self >> NEXT_AT);
  }

  /// @notice Unix seconds.
  function nextFrom(uint256 self) internal pure returns (uint256) {
    return uint40(self >> NEXT_FROM_AT);
  }

  /// @notice What is paid for: a packet, a packet and hour, and so on.
  function unit(uint256 self) internal pure returns (uint256) {
    return uint8(self >> UNIT_AT);
  }

  /// @notice Whether there is such a row.
  function active(uint256 self) internal pure returns (bool) {
    return self & ACTIVE != 0;
  }

  /// @notice The price in force at `time`, zero when not for sale.
  function priceAt(uint256 self, uint256 time) internal pure returns (uint256) {
    return time >= nextFrom(self) ? next(self) : price(self);
  }

  /// @notice The schedule after its owner asked, at `time`, for `wanted` per `newUnit`.
  /// @param wanted Not zero, below 2^96.
  /// @param newUnit Below 2^8.
  /// @param time Unix seconds, below 2^40.
  /// @param later time + delay, when a rise takes effect; below 2^40.
  function set(
    uint256 self,
    uint256 wanted,
    uint256 newUnit,
    uint256 time,
    uint256 later
  ) internal pure returns (uint256) {
    // a row that is not active, or has another unit
    if ((self ^ ACTIVE) >> UNIT_AT != newUnit) return _pack(0, wanted, later, newUnit);
    bool announced = time < nextFrom(self);
    uint256 inForce = announced ? price(self) : next(self);
    if (wanted <= inForce) return _pack(wanted, wanted, time, newUnit);
    // a rise, or a new row's first price, that was announced before may shrink without a new delay
    if (announced && wanted <= next(self)) later = nextFrom(self);
    return _pack(inForce, wanted, later, newUnit);
  }

  function _pack(uint256 price_, uint256 next_, uint256 nextFrom_, uint256 unit_) private pure returns (uint256) {
    return price_ | (next_ << NEXT_AT) | (nextFrom_ << NEXT_FROM_AT) | (unit_ << UNIT_AT) | ACTIVE;
  }
}
