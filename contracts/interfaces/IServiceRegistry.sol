// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC1363Receiver} from "@openzeppelin/contracts/interfaces/IERC1363Receiver.sol";
import {IPermits} from "./IPermits.sol";

/// @title The registry of nodes
/// @notice Who runs a node, where it is reached, with what keys, and what it has at stake.
///
/// A node is known by `nodeId = keccak256(abi.encode(operator, nodeKey))`, so nobody can take another's id. It has
/// - an operator (a cold account): owns the stake, names the manager and the payee;
/// - a manager (a hot account on the server): rotates the seal key, changes addresses and metadata, sets prices;
/// - a payee: the account that payment channels pay.
///
/// An id is registered once and never again. `beginUnstake` makes the node inactive at once and there is no way back;
/// the stake follows after the unbonding period.
///
/// What is stored of a record is its hash alone, the record itself is in the events:
///
///   recordHash  = keccak256(abi.encode(manager, bodyHash))
///   bodyHash    = keccak256(abi.encode(payee, sealKey, contentHash))
///   contentHash = keccak256(abi.encode(keccak256(multiaddrs), keccak256(metadata)))
///
/// The hash of an inactive node is zero, and with it ends whatever the record allowed.
///
/// Continuity: the contract keeps one slot (storage slot 0: seq in bits 0..63, head in bits 64..255) which moves with
/// every event of this interface, from seq 0 and head 0:
///
///   seq'  = seq + 1
///   head' = bytes24(keccak256(abi.encode(head, seq', kind, keccak256(data))))
///
/// as abi.encode(bytes24, uint64, uint8, bytes32); each event below names its kind and data, all of it in the log
/// (blockNumber is the block of the log, as uint256). Both new values are emitted with the event, so whoever replays
/// the logs recomputes the head and compares it with the slot: an event that was dropped, added or reordered shows.
///
/// Assumptions:
/// - The token is MFT: a transfer moves exactly its amount or reverts, and calls nobody but through ERC-1363.
/// - The Ed25519 signature of a registration is NOT checked here, the EVM cannot do it at a sane price. It is made with
///   nodeKey over "mainframe/register/1" (UTF-8) followed by chainId (uint256), this contract's address (20 bytes) and
///   the operator (20 bytes). Every reader of the log checks it, and ignores nodes without a valid one.
/// - Stake prices identities. Nothing slashes it.
interface IServiceRegistry is IERC1363Receiver, IPermits {
  /// @notice What a node says about itself.
  /// @param manager The hot account that may change this record's seal key, addresses and metadata, and the prices.
  /// @param payee The account that payment channels of this node pay.
  /// @param sealKey X25519 public key to which packets for this node are sealed.
  /// @param multiaddrs UTF-8 multiaddrs, separated by newlines, at most 512 bytes together.
  /// @param metadata Free for the operator's use, at most 512 bytes.
  struct Record {
    address manager;
    address payee;
    bytes32 sealKey;
    bytes multiaddrs;
    bytes metadata;
  }

  /// @notice The parts of the current record that `update` leaves as they are.
  struct Kept {
    address payee;
    bytes32 sealKey;
    bytes32 contentHash;
  }

  /// @notice What the contract stores of a node, as one call reads it.
  /// @param stake In MFT base units; zero when never registered, or withdrawn.
  /// @param registeredAt Unix seconds; zero when never registered, else for ever the same.
  /// @param registeredBlock Number of the block of the registration.
  /// @param unlockAt Unix seconds from which the stake may be withdrawn; zero as long as the node is active.
  /// @param recordHash As above; zero when the node is not active.
  struct State {
    uint96 stake;
    uint40 registeredAt;
    uint40 registeredBlock;
    uint40 unlockAt;
    bytes32 recordHash;
  }

  /// @notice A node was registered.
  /// @dev kind 1, data = abi.encode(blockNumber, nodeId, operator, nodeKey, recordHash, keccak256(signature), stake).
  event Registered(
    bytes32 indexed nodeId,
    address indexed operator,
    bytes32 nodeKey,
    Record record,
    bytes signature,
    uint96 stake,
    bytes32 continuity
  );

  /// @notice A node's record changed; `record` is the new one, whole.
  /// @dev kind 2, data = abi.encode(blockNumber, nodeId, recordHash).
  event Updated(bytes32 indexed nodeId, Record record, bytes32 continuity);

  /// @notice The operator added to the stake, which is now `stake`.
  /// @dev kind 3, data = abi.encode(blockNumber, nodeId, stake).
  event StakeAdded(bytes32 indexed nodeId, uint96 stake, bytes32 continuity);

  /// @notice The node is inactive from now on, its stake is free at `unlockAt`.
  /// @dev kind 4, data = abi.encode(blockNumber, nodeId, unlockAt).
  event UnstakeBegun(bytes32 indexed nodeId, uint40 unlockAt, bytes32 continuity);

  /// @notice The whole stake was paid to `to`.
  /// @dev kind 5, data = abi.encode(blockNumber, nodeId, to, amount).
  event StakeWithdrawn(bytes32 indexed nodeId, address to, uint96 amount, bytes32 continuity);

  /// @notice The id was registered before (it may be inactive by now).
  error RegistryAlreadyRegistered(bytes32 nodeId);
  /// @notice The node was never registered, or has begun to unstake.
  error RegistryNotActive(bytes32 nodeId);
  /// @notice The stake offered is below the minimum.
  error RegistryStakeTooLow(uint256 stake, uint256 minimum);
  /// @notice The amount is zero, or does not fit 96 bits.
  error RegistryBadAmount(uint256 amount);
  /// @notice The unbonding period given at deployment is too long.
  error RegistryBadUnbonding(uint256 period, uint256 maximum);
  /// @notice `manager` or `payee` is the zero address.
  error RegistryZeroAddress();
  /// @notice `nodeKey` or `sealKey` is zero.
  error RegistryZeroKey();
  /// @notice Addresses or metadata are longer than allowed.
  error RegistryTooLong(uint256 length, uint256 maximum);
  /// @notice The registration signature is not 64 bytes long.
  error RegistryBadSignatureLength(uint256 length);
  /// @notice The caller is not the manager, or what he gave as the current record is not the current record.
  error RegistryNotAuthorised(bytes32 nodeId, address caller);
  /// @notice The record given as the current one is not the current one.
  error RegistryStaleRecord(bytes32 nodeId, bytes32 given, bytes32 current);
  /// @notice The node has not begun to unstake, or its stake is gone.
  error RegistryNothingToWithdraw(bytes32 nodeId);
  /// @notice The unbonding period has not passed.
  error RegistryStillBonded(uint256 unlockAt, uint256 timestamp);
  /// @notice The recipient is the zero address or this contract.
  error RegistryBadRecipient(address to);
  /// @notice Only MFT may call `onTransferReceived`.
  error RegistryWrongToken(address caller);

  /// @notice Registers a node of the caller, who becomes its operator; pulls the stake by allowance.
  /// @param nodeKey Ed25519 public key of the node, from which its peer id follows.
  /// @param record The node's first record.
  /// @param stake In MFT base units, at least `minimumStake`.
  /// @param signature 64-byte Ed25519 signature, see above.
  /// @return nodeId The id of the node.
  function register(
    bytes32 nodeKey,
    Record calldata record,
    uint96 stake,
    bytes calldata signature
  ) external returns (bytes32 nodeId);

  /// @notice `register` with an ERC-2612 permit instead of an allowance.
  function registerWithPermit(
    bytes32 nodeKey,
    Record calldata record,
    uint96 stake,
    bytes calldata signature,
    Permit calldata permit
  ) external returns (bytes32 nodeId);

  /// @notice Registers a node of `from`, or adds to its stake, within MFT's `transferAndCall`.
  /// @dev `data` is abi.encode(bytes32 nodeKey, Record record, bytes signature) to register, and
  /// abi.encode(bytes32 nodeKey), 32 bytes, to add to the stake.
  function onTransferReceived(
    address operator,
    address from,
    uint256 value,
    bytes calldata data
  ) external returns (bytes4);

  /// @notice The manager replaces addresses and metadata.
  function update(bytes32 nodeId, Kept calldata kept, bytes calldata multiaddrs, bytes calldata metadata) external;

  /// @notice The manager replaces the seal key.
  function rotateSealKey(bytes32 nodeId, Record calldata current, bytes32 sealKey) external;

  /// @notice The operator replaces the manager.
  function setManager(bytes32 nodeKey, Record calldata current, address manager) external;

  /// @notice The operator replaces the payee.
  function setPayee(bytes32 nodeKey, Record calldata current, address payee) external;

  /// @notice The operator adds `amount` to the stake of his active node; pulled by allowance.
  function addStake(bytes32 nodeKey, uint96 amount) external;

  /// @notice The operator makes his node inactive, at once and for good; the unbonding period begins.
  function beginUnstake(bytes32 nodeKey) external;

  /// @notice The operator takes the stake out after the unbonding period.
  function withdrawStake(bytes32 nodeKey, address to) external;

  /// @notice Whether `caller` may speak for the active node `nodeId`.
  /// @param proof For the manager the current record's bodyHash, for the operator the nodeKey.
  function maySpeakFor(address caller, bytes32 nodeId, bytes32 proof) external view returns (bool);

  /// @notice What is stored of these nodes, in their order.
  function states(bytes32[] calldata ids) external view returns (State[] memory);

  /// @notice The continuity slot: how many events there were, and the head after the last.
  function continuity() external view returns (uint64 seq, bytes24 head);

  /// @notice The MFT contract.
  function token() external view returns (address);

  /// @notice The least stake of a registration, in MFT base units.
  function minimumStake() external view returns (uint96);

  /// @notice Seconds between `beginUnstake` and the earliest `withdrawStake`.
  function unbondingPeriod() external view returns (uint40);

  /// @notice keccak256(abi.encode(operator, nodeKey)).
  function nodeIdOf(address operator, bytes32 nodeKey) external pure returns (bytes32);

  /// @notice The three hashes of a record, as defined above.
  function hashesOf(
    Record calldata record
  ) external pure returns (bytes32 recordHash, bytes32 bodyHash, bytes32 contentHash);
}
