// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC1363Receiver} from "@openzeppelin/contracts/interfaces/IERC1363Receiver.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IServiceRegistry} from "./interfaces/IServiceRegistry.sol";
import {Continuity} from "./libraries/Continuity.sol";
import {Keccak} from "./libraries/Keccak.sol";

/// @title The registry of nodes
/// @notice Described in IServiceRegistry.
contract ServiceRegistry is IServiceRegistry {
  using SafeERC20 for IERC20;

  /// @dev Two slots of a node: what its stake is about, and the hash of its record, zero while it is not active.
  struct Node {
    uint96 stake;
    uint40 registeredAt;
    uint40 registeredBlock;
    uint40 unlockAt;
    bytes32 recordHash;
  }

  uint256 private constant MAX_MULTIADDRS = 512;
  uint256 private constant MAX_METADATA = 512;
  /// @dev Keeps unlockAt within its 40 bits.
  uint40 private constant MAX_UNBONDING = 365 days;
  uint256 private constant SIGNATURE_LENGTH = 64;
  uint256 private constant NODE_KEY_LENGTH = 32;

  uint8 private constant KIND_REGISTERED = 1;
  uint8 private constant KIND_UPDATED = 2;
  uint8 private constant KIND_STAKE_ADDED = 3;
  uint8 private constant KIND_UNSTAKE_BEGUN = 4;
  uint8 private constant KIND_STAKE_WITHDRAWN = 5;

  IERC20 private immutable _token;
  /// @inheritdoc IServiceRegistry
  uint96 public immutable minimumStake;
  /// @inheritdoc IServiceRegistry
  uint40 public immutable unbondingPeriod;

  // slot 0: readers prove it with eth_getProof, so it must stay here
  bytes32 private _head;
  mapping(bytes32 nodeId => Node node) private _nodes;

  /// @param token_ MFT.
  /// @param minimumStake_ In MFT base units, not zero.
  /// @param unbondingPeriod_ In seconds, at most 365 days.
  constructor(IERC20 token_, uint96 minimumStake_, uint40 unbondingPeriod_) {
    require(minimumStake_ != 0, RegistryBadAmount(0));
    require(unbondingPeriod_ <= MAX_UNBONDING, RegistryBadUnbonding(unbondingPeriod_, MAX_UNBONDING));
    _token = token_;
    minimumStake = minimumStake_;
    unbondingPeriod = unbondingPeriod_;
  }

  /// @inheritdoc IServiceRegistry
  function register(
    bytes32 nodeKey,
    Record calldata record,
    uint96 stake,
    bytes calldata signature
  ) external returns (bytes32 nodeId) {
    nodeId = _register(msg.sender, nodeKey, record, stake, signature);
    _token.safeTransferFrom(msg.sender, address(this), stake);
  }

  /// @inheritdoc IServiceRegistry
  function registerWithPermit(
    bytes32 nodeKey,
    Record calldata record,
    uint96 stake,
    bytes calldata signature,
    Permit calldata permit
  ) external returns (bytes32 nodeId) {
    nodeId = _register(msg.sender, nodeKey, record, stake, signature);
    // somebody may have submitted the permit already: the allowance is what counts
    try
      IERC20Permit(address(_token)).permit(
        msg.sender,
        address(this),
        stake,
        permit.deadline,
        permit.v,
        permit.r,
        permit.s
      )
    {} catch {}
    _token.safeTransferFrom(msg.sender, address(this), stake);
  }

  /// @inheritdoc IServiceRegistry
  function onTransferReceived(
    address /* operator */,
    address from,
    uint256 value,
    bytes calldata data
  ) external returns (bytes4) {
    require(msg.sender == address(_token), RegistryWrongToken(msg.sender));
    require(value <= type(uint96).max, RegistryBadAmount(value));
    if (data.length == NODE_KEY_LENGTH) {
      _addStake(from, bytes32(data), uint96(value));
    } else {
      _registerEncoded(from, uint96(value), data);
    }
    return IERC1363Receiver.onTransferReceived.selector;
  }

  /// @inheritdoc IServiceRegistry
  function update(bytes32 nodeId, Kept calldata kept, bytes calldata multiaddrs, bytes calldata metadata) external {
    Node storage node = _nodes[nodeId];
    bytes32 body = _bodyHash(kept.payee, kept.sealKey, kept.contentHash);
    // an inactive node's hash is zero, which no record has
    require(node.recordHash == _recordHash(msg.sender, body), RegistryNotAuthorised(nodeId, msg.sender));
    _setRecord(
      node,
      nodeId,
      Record({
        manager: msg.sender,
        payee: kept.payee,
        sealKey: kept.sealKey,
        multiaddrs: multiaddrs,
        metadata: metadata
      })
    );
  }

  /// @inheritdoc IServiceRegistry
  function rotateSealKey(bytes32 nodeId, Record calldata current, bytes32 sealKey) external {
    require(msg.sender == current.manager, RegistryNotAuthorised(nodeId, msg.sender));
    Node storage node = _nodes[nodeId];
    Record memory record = _checkCurrent(node, nodeId, current);
    record.sealKey = sealKey;
    _setRecord(node, nodeId, record);
  }

  /// @inheritdoc IServiceRegistry
  function setManager(bytes32 nodeKey, Record calldata current, address manager) external {
    bytes32 nodeId = nodeIdOf(msg.sender, nodeKey);
    Node storage node = _nodes[nodeId];
    Record memory record = _checkCurrent(node, nodeId, current);
    record.manager = manager;
    _setRecord(node, nodeId, record);
  }

  /// @inheritdoc IServiceRegistry
  function setPayee(bytes32 nodeKey, Record calldata current, address payee) external {
    bytes32 nodeId = nodeIdOf(msg.sender, nodeKey);
    Node storage node = _nodes[nodeId];
    Record memory record = _checkCurrent(node, nodeId, current);
    record.payee = payee;
    _setRecord(node, nodeId, record);
  }

  /// @inheritdoc IServiceRegistry
  function addStake(bytes32 nodeKey, uint96 amount) external {
    _addStake(msg.sender, nodeKey, amount);
    _token.safeTransferFrom(msg.sender, address(this), amount);
  }

  /// @inheritdoc IServiceRegistry
  function beginUnstake(bytes32 nodeKey) external {
    bytes32 nodeId = nodeIdOf(msg.sender, nodeKey);
    Node storage node = _nodes[nodeId];
    require(node.recordHash != 0, RegistryNotActive(nodeId));
    uint40 unlockAt = uint40(block.timestamp) + unbondingPeriod;
    node.unlockAt = unlockAt;
    delete node.recordHash;
    bytes32 head = _advance(KIND_UNSTAKE_BEGUN, nodeId, bytes32(uint256(unlockAt)));
    emit UnstakeBegun(nodeId, unlockAt, head);
  }

  /// @inheritdoc IServiceRegistry
  function withdrawStake(bytes32 nodeKey, address to) external {
    bytes32 nodeId = nodeIdOf(msg.sender, nodeKey);
    Node storage node = _nodes[nodeId];
    uint96 stake = node.stake;
    require(node.unlockAt != 0 && stake != 0, RegistryNothingToWithdraw(nodeId));
    require(block.timestamp >= node.unlockAt, RegistryStillBonded(node.unlockAt, block.timestamp));
    require(to != address(0) && to != address(this), RegistryBadRecipient(to));
    // registeredAt stays, so the id is never free again
    node.stake = 0;
    bytes32 dataHash = keccak256(abi.encode(block.number, nodeId, to, stake));
    bytes32 head = _advance(KIND_STAKE_WITHDRAWN, dataHash);
    emit StakeWithdrawn(nodeId, to, stake, head);
    _token.safeTransfer(to, stake);
  }

  /// @inheritdoc IServiceRegistry
  function maySpeakFor(address caller, bytes32 nodeId, bytes32 proof) external view returns (bool) {
    bytes32 recordHash = _nodes[nodeId].recordHash;
    // nodeId and recordHash are made alike, from an account and a word: one hash serves both; none is zero
    bytes32 claim = _recordHash(caller, proof);
    return claim == recordHash || (claim == nodeId && recordHash != 0);
  }

  /// @inheritdoc IServiceRegistry
  function states(bytes32[] calldata ids) external view returns (State[] memory list) {
    list = new State[](ids.length);
    for (uint256 i = 0; i < ids.length; ++i) {
      Node memory node = _nodes[ids[i]];
      list[i] = State({
        stake: node.stake,
        registeredAt: node.registeredAt,
        registeredBlock: node.registeredBlock,
        unlockAt: node.unlockAt,
        recordHash: node.recordHash
      });
    }
  }

  /// @inheritdoc IServiceRegistry
  function continuity() external view returns (uint64 seq, bytes24 head) {
    return Continuity.split(_head);
  }

  /// @inheritdoc IServiceRegistry
  function token() external view returns (address) {
    return address(_token);
  }

  /// @inheritdoc IServiceRegistry
  function hashesOf(
    Record calldata record
  ) external pure returns (bytes32 recordHash, bytes32 bodyHash, bytes32 contentHash) {
    contentHash = _contentHash(record.multiaddrs, record.metadata);
    bodyHash = _bodyHash(record.payee, record.sealKey, contentHash);
    recordHash = _recordHash(record.manager, bodyHash);
  }

  /// @inheritdoc IServiceRegistry
  function nodeIdOf(address operator, bytes32 nodeKey) public pure returns (bytes32) {
    return Keccak.hash(Keccak.word(operator), nodeKey);
  }

  /// @dev The decoder of the ERC-1363 path.
  function _registerEncoded(address operator, uint96 stake, bytes calldata data) private {
    (bytes32 nodeKey, Record memory record, bytes memory signature) = abi.decode(data, (bytes32, Record, bytes));
    _register(operator, nodeKey, record, stake, signature);
  }

  /// @dev Guards, effects and event of every way to register; the caller sees to the money.
  function _register(
    address operator,
    bytes32 nodeKey,
    Record memory record,
    uint96 stake,
    bytes memory signature
  ) private returns (bytes32 nodeId) {
    nodeId = nodeIdOf(operator, nodeKey);
    require(nodeKey != 0, RegistryZeroKey());
    require(signature.length == SIGNATURE_LENGTH, RegistryBadSignatureLength(signature.length));
    require(stake >= minimumStake, RegistryStakeTooLow(stake, minimumStake));
    require(_nodes[nodeId].registeredAt == 0, RegistryAlreadyRegistered(nodeId));
    _checkRecord(record);
    bytes32 recordHash = _hash(record);
    _nodes[nodeId] = Node({
      stake: stake,
      registeredAt: uint40(block.timestamp),
      registeredBlock: uint40(block.number),
      unlockAt: 0,
      recordHash: recordHash
    });
    bytes32 head = _advance(
      KIND_REGISTERED,
      keccak256(abi.encode(block.number, nodeId, operator, nodeKey, recordHash, keccak256(signature), stake))
    );
    emit Registered(nodeId, operator, nodeKey, record, signature, stake, head);
  }

  /// @dev Guards, effects and event of every way to add stake; the caller sees to the money.
  function _addStake(address operator, bytes32 nodeKey, uint96 amount) private {
    bytes32 nodeId = nodeIdOf(operator, nodeKey);
    Node storage node = _nodes[nodeId];
    require(node.recordHash != 0, RegistryNotActive(nodeId));
    require(amount != 0, RegistryBadAmount(amount));
    uint96 stake = node.stake + amount;
    node.stake = stake;
    bytes32 head = _advance(KIND_STAKE_ADDED, nodeId, bytes32(uint256(stake)));
    emit StakeAdded(nodeId, stake, head);
  }

  /// @dev Effects and event of every change of a record; callers have checked who asks.
  function _setRecord(Node storage node, bytes32 nodeId, Record memory record) private {
    _checkRecord(record);
    bytes32 recordHash = _hash(record);
    node.recordHash = recordHash;
    bytes32 head = _advance(KIND_UPDATED, nodeId, recordHash);
    emit Updated(nodeId, record, head);
  }

  /// @dev Moves the head over one event, and returns it.
  function _advance(uint8 kind, bytes32 dataHash) private returns (bytes32 head) {
    head = Continuity.next(_head, kind, dataHash);
    _head = head;
  }

  /// @dev `_advance` over an event whose data is its block's number, the node and one word.
  function _advance(uint8 kind, bytes32 nodeId, bytes32 word) private returns (bytes32) {
    return _advance(kind, Keccak.hash(bytes32(block.number), nodeId, word));
  }

  /// @dev `current`, if it is the current record of an active node.
  function _checkCurrent(
    Node storage node,
    bytes32 nodeId,
    Record calldata current
  ) private view returns (Record memory record) {
    bytes32 stored = node.recordHash;
    require(stored != 0, RegistryNotActive(nodeId));
    record = current;
    bytes32 given = _hash(record);
    require(given == stored, RegistryStaleRecord(nodeId, given, stored));
  }

  /// @dev The bounds of a record.
  function _checkRecord(Record memory record) private pure {
    require(record.manager != address(0) && record.payee != address(0), RegistryZeroAddress());
    require(record.sealKey != 0, RegistryZeroKey());
    require(record.multiaddrs.length <= MAX_MULTIADDRS, RegistryTooLong(record.multiaddrs.length, MAX_MULTIADDRS));
    require(record.metadata.length <= MAX_METADATA, RegistryTooLong(record.metadata.length, MAX_METADATA));
  }

  function _hash(Record memory record) private pure returns (bytes32) {
    bytes32 content = _contentHash(record.multiaddrs, record.metadata);
    return _recordHash(record.manager, _bodyHash(record.payee, record.sealKey, content));
  }

  function _recordHash(address manager, bytes32 body) private pure returns (bytes32) {
    return Keccak.hash(Keccak.word(manager), body);
  }

  function _bodyHash(address payee, bytes32 sealKey, bytes32 content) private pure returns (bytes32) {
    return Keccak.hash(Keccak.word(payee), sealKey, content);
  }

  function _contentHash(bytes memory multiaddrs, bytes memory metadata) private pure returns (bytes32) {
    return Keccak.hash(keccak256(multiaddrs), keccak256(metadata));
  }
}
