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
  using PriceSchedule for uint256;

  /// @inheritdoc IPriceBoard
  uint256 public constant MAX_ROWS = 64;
  /// @dev Keeps nextFrom within its 40 bits.
  uint40 private constant MAX_DELAY = 30 days;
  uint8 private constant KIND_PRICES_SET = 6;

  IServiceRegistry private immutable _registry;
  /// @inheritdoc IPriceBoard
  uint40 public immutable delay;

  // slot 0: readers prove it with eth_getProof, so it must stay here
  Continuity.Head private _head;
  /// @dev One key, keccak256(abi.encode(nodeId, service, token)), costs one hash where nested mappings cost three;
  /// the value is a word of PriceSchedule.
  mapping(bytes32 key => uint256 schedule) private _schedules;

  /// @param registry_ Says who speaks for a node.
  /// @param delay_ Seconds before a rise or a new row takes effect, at most 30 days.
  constructor(IServiceRegistry registry_, uint40 delay_) {
    require(delay_ <= MAX_DELAY, BoardBadDelay(delay_, MAX_DELAY));
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
    uint256 schedule = _schedules[_key(nodeId, service, token)];
    return (schedule.priceAt(block.timestamp), schedule.unit());
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
    return _head.read();
  }

  /// @inheritdoc IPriceBoard
  function registry() external view returns (address) {
    return address(_registry);
  }

  /// @dev Applies one row and returns it as it stands then.
  function _set(bytes32 nodeId, PriceInput calldata input) private returns (PriceRow memory) {
    (bytes32 service, address token, uint96 price) = (input.service, input.token, input.price);
    bytes32 key = _key(nodeId, service, token);
    uint256 schedule = _schedules[key];
    if (input.active) {
      require(price != 0, BoardZeroPrice(service, token));
      schedule = schedule.set(price, input.unit, block.timestamp, block.timestamp + delay);
    } else {
      require(schedule != 0, BoardNothingToWithdraw(service, token));
      schedule = 0;
    }
    _schedules[key] = schedule;
    return _row(service, token, schedule);
  }

  function _row(bytes32 service, address token, uint256 schedule) private pure returns (PriceRow memory) {
    return
      PriceRow({
        service: service,
        token: token,
        price: schedule.price(),
        next: schedule.next(),
        nextFrom: schedule.nextFrom(),
        unit: schedule.unit(),
        active: schedule.active()
      });
  }

  function _key(bytes32 nodeId, bytes32 service, address token) private pure returns (bytes32) {
    return keccak256(abi.encode(nodeId, service, token));
  }
}
