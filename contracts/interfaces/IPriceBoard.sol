// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title The price board
/// @notice What registered nodes ask for their services, in which medium of exchange.
///
/// A row is known by (nodeId, service, token). `service` is keccak256 of a name such as "route/1", "hold/1", or any
/// name that an operator invents; `token` is an ERC-20 or the zero address for the chain's own coin.
///
/// The price in force at time t is `t >= nextFrom ? next : price`, and zero means: not for sale.
/// - A cut takes effect at once, and ends a rise that was announced before.
/// - A withdrawal takes effect at once and leaves a row of zeros.
/// - A rise takes effect after the board's delay. An announced rise may be lowered without a new delay.
/// - A new row, a withdrawn row that is set again, and a row whose unit changes is not for sale (price 0) until the
///   delay has passed. Who wants no gap while changing the unit advertises another service beside the old one.
/// So nobody who pays a price that was in force when a packet left meets a higher one within the delay.
///
/// The board does not judge what a service or a unit means. It does check that the node is active when its prices
/// change, but rows of a node that has become inactive stay: readers look at the registry first.
///
/// Continuity: as in IServiceRegistry (storage slot 0), with kind and data as the event below says.
///
/// Assumption: the registry given at deployment is an honest ServiceRegistry.
interface IPriceBoard {
  /// @notice What a node asks from now on, for one service in one token.
  /// @param price In base units of the token; not zero while `active`.
  /// @param unit 0 per packet, 1 per packet and hour, others defined by operators.
  /// @param active False withdraws the row; price and unit are then ignored.
  struct PriceInput {
    bytes32 service;
    address token;
    uint96 price;
    uint8 unit;
    bool active;
  }

  /// @notice The state of one row.
  /// @param price In force before `nextFrom`; zero: not for sale until then.
  /// @param next In force from `nextFrom` on.
  /// @param nextFrom Unix seconds.
  /// @param active False, with zeros in every other field, for a row that was withdrawn or never set.
  struct PriceRow {
    bytes32 service;
    address token;
    uint96 price;
    uint96 next;
    uint40 nextFrom;
    uint8 unit;
    bool active;
  }

  /// @notice A row changed; `schedule` is its word as it stands now: price in bits 0..95, next in 96..191, nextFrom in
  /// 192..231, unit in 232..239, active in bit 240; zero when the row was withdrawn.
  /// @dev kind 6, data = abi.encode(blockNumber, nodeId, service, token, schedule).
  event PriceSet(bytes32 indexed nodeId, bytes32 service, address token, uint256 schedule, bytes32 continuity);

  /// @notice The caller is neither the manager nor the operator of that active node, or the proof is out of date.
  error BoardNotAuthorised(bytes32 nodeId, address caller);
  /// @notice No rows, or more than `MAX_ROWS`.
  error BoardBadRowCount(uint256 count, uint256 maximum);
  /// @notice A price of zero for an active row: postage is the time-to-live, nothing is free.
  error BoardZeroPrice(bytes32 service, address token);
  /// @notice A row that is not there cannot be withdrawn.
  error BoardNothingToWithdraw(bytes32 service, address token);
  /// @notice The delay given at deployment is too long.
  error BoardBadDelay(uint256 delay, uint256 maximum);
  /// @notice Lists of different lengths.
  error BoardLengthMismatch(uint256 nodes, uint256 services, uint256 tokens);

  /// @notice The node's manager or operator sets, changes or withdraws rows; all of them or none.
  /// @param nodeId The node.
  /// @param proof For the manager the current record's bodyHash, for the operator the nodeKey (see IServiceRegistry).
  /// @param rows One to `MAX_ROWS` rows, applied in order.
  function setPrices(bytes32 nodeId, bytes32 proof, PriceInput[] calldata rows) external;

  /// @notice The price in force now, and its unit. A price of zero means: not for sale.
  function current(bytes32 nodeId, bytes32 service, address token) external view returns (uint96 price, uint8 unit);

  /// @notice Row i is that of (nodeIds[i], services[i], tokens[i]).
  function rows(
    bytes32[] calldata nodeIds,
    bytes32[] calldata services,
    address[] calldata tokens
  ) external view returns (PriceRow[] memory);

  /// @notice The continuity slot: how many events there were, and the head after the last.
  function continuity() external view returns (uint64 seq, bytes24 head);

  /// @notice The registry that says who speaks for a node.
  function registry() external view returns (address);

  /// @notice Seconds before a rise or a new row takes effect.
  function delay() external view returns (uint40);

  /// @notice The most rows of one call.
  // solhint-disable-next-line func-name-mixedcase
  function MAX_ROWS() external view returns (uint256);
}
