// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {StorageSlot} from "@openzeppelin/contracts/utils/StorageSlot.sol";
import {IPriceBoard} from "./interfaces/IPriceBoard.sol";
import {IServiceRegistry} from "./interfaces/IServiceRegistry.sol";
import {Continuity} from "./libraries/Continuity.sol";
import {Keccak} from "./libraries/Keccak.sol";
import {PriceSchedule} from "./libraries/PriceSchedule.sol";

/// @title The price board
/// @notice Described in IPriceBoard.
contract PriceBoard is IPriceBoard {
  using PriceSchedule for uint256;

  /// @inheritdoc IPriceBoard
  uint256 public constant MAX_ROWS = 64;
  /// @dev Keeps nextFrom within its 40 bits.
  uint40 private constant MAX_DELAY = 30 days;
  uint8 private constant KIND_PRICE_SET = 6;

  IServiceRegistry private immutable _registry;
  /// @inheritdoc IPriceBoard
  uint40 public immutable delay;

  // slot 0: readers prove it with eth_getProof, so it must stay here
  bytes32 private _head;

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
    require(_registry.maySpeakFor(msg.sender, nodeId, proof), BoardNotAuthorised(nodeId, msg.sender));
    uint256 later;
    // a time within 2^40 seconds, and at most 30 days
    unchecked {
      later = block.timestamp + delay;
    }
    bytes32 word = _head;
    for (uint256 i = 0; i < count; ++i) {
      PriceInput calldata input = inputs[i];
      (bytes32 service, address token) = (input.service, input.token);
      uint256 schedule = _set(_slot(nodeId, service, token), service, token, input, later);
      bytes32 dataHash = Keccak.hash(bytes32(block.number), nodeId, service, Keccak.word(token), bytes32(schedule));
      word = Continuity.next(word, KIND_PRICE_SET, dataHash);
      emit PriceSet(nodeId, service, token, schedule, word);
    }
    _head = word;
  }

  /// @inheritdoc IPriceBoard
  function current(bytes32 nodeId, bytes32 service, address token) external view returns (uint96 price, uint8 unit) {
    uint256 schedule = _slot(nodeId, service, token).value;
    return (uint96(schedule.priceAt(block.timestamp)), uint8(schedule.unit()));
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
      list[i] = _row(services[i], tokens[i], _slot(nodeIds[i], services[i], tokens[i]).value);
    }
  }

  /// @inheritdoc IPriceBoard
  function continuity() external view returns (uint64 seq, bytes24 head) {
    return Continuity.split(_head);
  }

  /// @inheritdoc IPriceBoard
  function registry() external view returns (address) {
    return address(_registry);
  }

  /// @dev Applies what is asked of one row, and returns its schedule as it stands then.
  function _set(
    StorageSlot.Uint256Slot storage row,
    bytes32 service,
    address token,
    PriceInput calldata input,
    uint256 later
  ) private returns (uint256 schedule) {
    schedule = row.value;
    if (input.active) {
      uint256 price = input.price;
      require(price != 0, BoardZeroPrice(service, token));
      schedule = schedule.set(price, input.unit, block.timestamp, later);
    } else {
      require(schedule != 0, BoardNothingToWithdraw(service, token));
      schedule = 0;
    }
    row.value = schedule;
  }

  function _row(bytes32 service, address token, uint256 schedule) private pure returns (PriceRow memory) {
    return
      PriceRow({
        service: service,
        token: token,
        price: uint96(schedule.price()),
        next: uint96(schedule.next()),
        nextFrom: uint40(schedule.nextFrom()),
        unit: uint8(schedule.unit()),
        active: schedule.active()
      });
  }

  /// @dev Where a row's schedule lies: at keccak256(abi.encode(nodeId, service, token)), a hash that needs no mapping
  /// to be hashed once more.
  function _slot(
    bytes32 nodeId,
    bytes32 service,
    address token
  ) private pure returns (StorageSlot.Uint256Slot storage) {
    return StorageSlot.getUint256Slot(Keccak.hash(nodeId, service, Keccak.word(token)));
  }
}
