// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPriceBoard} from "./interfaces/IPriceBoard.sol";
import {IServiceRegistry} from "./interfaces/IServiceRegistry.sol";
import {Continuity} from "./libraries/Continuity.sol";
import {PriceSchedule} from "./libraries/PriceSchedule.sol";

/// @title The price board
/// @notice Described in IPriceBoard.
contract PriceBoard is IPriceBoard {
  using Continuity for Continuity.Head;
  using PriceSchedule for PriceSchedule.Schedule;

  /// @inheritdoc IPriceBoard
  uint256 public constant MAX_ROWS = 64;
  uint8 private constant KIND_PRICES_SET = 6;

  IServiceRegistry private immutable _registry;
  /// @inheritdoc IPriceBoard
  uint40 public immutable delay;

  // slot 0: readers prove it with eth_getProof, so it must stay here
  Continuity.Head private _head;
  /// @dev One key, keccak256(abi.encode(nodeId, service, token)), costs one hash where nested mappings cost three.
  mapping(bytes32 key => PriceSchedule.Schedule schedule) private _schedules;

  /// @param registry_ Says who speaks for a node.
  /// @param delay_ Seconds before a rise or a new row takes effect.
  constructor(IServiceRegistry registry_, uint40 delay_) {
    _registry = registry_;
    delay = delay_;
  }

  /// @inheritdoc IPriceBoard
  function setPrices(bytes32 nodeId, bytes32 proof, PriceInput[] calldata inputs) external {
    uint256 count = inputs.length;
    require(count != 0 && count <= MAX_ROWS, BoardBadRowCount(count, MAX_ROWS));
    require(_registry.isAuthorised(nodeId, msg.sender, proof), BoardNotAuthorised(nodeId, msg.sender));
    PriceRow[] memory changed = new PriceRow[](count);
    for (uint256 i = 0; i < count; ++i) {
      changed[i] = _set(nodeId, inputs[i]);
    }
    (uint64 seq, bytes24 head) = _head.advance(KIND_PRICES_SET, abi.encode(block.number, nodeId, changed));
    emit PricesSet(nodeId, changed, seq, head);
  }

  /// @inheritdoc IPriceBoard
  function current(bytes32 nodeId, bytes32 service, address token) external view returns (uint96 price, uint8 unit) {
    PriceSchedule.Schedule memory schedule = _schedules[_key(nodeId, service, token)];
    return (schedule.priceAt(block.timestamp), schedule.unit);
  }

  /// @inheritdoc IPriceBoard
  function rows(
    bytes32[] calldata nodeIds,
    bytes32[] calldata services,
    address[] calldata tokens
  ) external view returns (PriceRow[] memory list) {
    uint256 count = nodeIds.length;
    require(
      count == services.length && count == tokens.length,
      BoardLengthMismatch(count, services.length, tokens.length)
    );
    list = new PriceRow[](count);
    for (uint256 i = 0; i < count; ++i) {
      list[i] = _row(services[i], tokens[i], _schedules[_key(nodeIds[i], services[i], tokens[i])]);
    }
  }

  /// @inheritdoc IPriceBoard
  function continuity() external view returns (uint64 seq, bytes24 head) {
    return (_head.seq, _head.value);
  }

  /// @inheritdoc IPriceBoard
  function registry() external view returns (address) {
    return address(_registry);
  }

  /// @dev Applies one row and returns it as it stands then.
  function _set(bytes32 nodeId, PriceInput calldata input) private returns (PriceRow memory) {
    bytes32 key = _key(nodeId, input.service, input.token);
    PriceSchedule.Schedule memory schedule = _schedules[key];
    if (input.active) {
      require(input.price != 0, BoardZeroPrice(input.service, input.token));
      uint40 time = uint40(block.timestamp);
      schedule = schedule.set(input.price, input.unit, time, time + delay);
    } else {
      require(schedule.active, BoardNothingToWithdraw(input.service, input.token));
      schedule = PriceSchedule.Schedule({price: 0, next: 0, nextFrom: 0, unit: 0, active: false});
    }
    _schedules[key] = schedule;
    return _row(input.service, input.token, schedule);
  }

  function _row(
    bytes32 service,
    address token,
    PriceSchedule.Schedule memory schedule
  ) private pure returns (PriceRow memory) {
    return
      PriceRow({
        service: service,
        token: token,
        price: schedule.price,
        next: schedule.next,
        nextFrom: schedule.nextFrom,
        unit: schedule.unit,
        active: schedule.active
      });
  }

  function _key(bytes32 nodeId, bytes32 service, address token) private pure returns (bytes32) {
    return keccak256(abi.encode(nodeId, service, token));
  }
}
