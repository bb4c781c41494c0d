// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title How a price changes over time
/// @notice Pure functions from a schedule and a wish to the schedule after it. For every time before now + delay the price
/// after a change is not above the price before it, or the row is new.
library PriceSchedule {
  /// @notice One storage slot; the price in force at t is t >= nextFrom ? next : price.
  struct Schedule {
    uint96 price;
    uint96 next;
    uint40 nextFrom;
    uint8 unit;
    bool active;
  }

  /// @notice The price in force at time `t`, zero when not for sale.
  function priceAt(Schedule memory self, uint256 t) internal pure returns (uint96) {
    return t >= self.nextFrom ? self.next : self.price;
  }

  /// @notice The schedule after its owner asked for `price` per `unit` at time `t`.
  /// @param price Not zero.
  /// @param later t + delay, when a rise takes effect.
  function set(
    Schedule memory self,
    uint96 price,
    uint8 unit,
    uint40 t,
    uint40 later
  ) internal pure returns (Schedule memory) {
    if (!self.active || self.unit != unit) {
      return Schedule({price: 0, next: price, nextFrom: later, unit: unit, active: true});
    }
    uint96 inForce = priceAt(self, t);
    if (price <= inForce) {
      return Schedule({price: price, next: price, nextFrom: t, unit: unit, active: true});
    }
    // a rise, or a new row's first price, that was announced before may shrink without a new delay
    uint40 from = t < self.nextFrom && price <= self.next ? self.nextFrom : later;
    return Schedule({price: inForce, next: price, nextFrom: from, unit: unit, active: true});
  }
}
