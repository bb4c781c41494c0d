// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IPaymentChannels} from "../../contracts/interfaces/IPaymentChannels.sol";
import {ChannelId} from "../../contracts/libraries/ChannelId.sol";
import {CompactSignature} from "../../contracts/libraries/CompactSignature.sol";
import {Continuity} from "../../contracts/libraries/Continuity.sol";
import {Keccak} from "../../contracts/libraries/Keccak.sol";

/// @notice What is hashed and recovered by hand, against what the compiler and OpenZeppelin make of the same.
contract HashesTest {
  function testFuzz_words_hash_as_abi_encode_has_them(
    bytes32 a,
    bytes32 b,
    bytes32 c,
    bytes32 d,
    bytes32 e
  ) public pure {
    assert(Keccak.hash(a, b) == keccak256(abi.encode(a, b)));
    assert(Keccak.hash(a, b, c) == keccak256(abi.encode(a, b, c)));
    assert(Keccak.hash(a, b, c, d) == keccak256(abi.encode(a, b, c, d)));
    assert(Keccak.hash(a, b, c, d, e) == keccak256(abi.encode(a, b, c, d, e)));
  }

  function testFuzz_hashing_leaves_memory_as_it_was(bytes memory data, bytes32 a) public pure {
    bytes32 before = keccak256(data);
    Keccak.hash(a, a, a, a, a);
    bytes memory more = new bytes(96);
    assert(keccak256(data) == before && keccak256(more) == keccak256(new bytes(96)));
  }

  function testFuzz_accounts_are_words(address account) public pure {
    assert(keccak256(abi.encode(account)) == keccak256(abi.encode(Keccak.word(account))));
  }

  function testFuzz_channel_ids_are_alike_in_all_three_ways(
    address payer,
    IPaymentChannels.Terms calldata terms
  ) public pure {
    bytes32 id = keccak256(abi.encode(payer, terms));
    assert(ChannelId.hash(payer, terms) == id);
    assert(ChannelId.hash(payer, terms.payee, terms.token, terms.signer, terms.notice) == id);
    ChannelId.Key memory key = ChannelId.Key({
      payer: payer,
      payee: terms.payee,
      token: terms.token,
      signer: terms.signer,
      notice: terms.notice
    });
    assert(ChannelId.hash(key) == id);
  }

  function testFuzz_recovers_whom_OpenZeppelin_recovers(bytes32 hash, bytes32 r, bytes32 vs) public pure {
    (address expected, , ) = ECDSA.tryRecover(hash, r, vs);
    assert(CompactSignature.recover(hash, r, vs) == expected);
  }

  function test_refuses_the_lowest_high_s_and_takes_the_highest_low_one() public pure {
    bytes32 hash = keccak256("hash");
    // x of the generator, which is on the curve
    bytes32 r = 0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798;
    uint256 highest = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;
    assert(CompactSignature.recover(hash, r, bytes32(highest)) != address(0));
    assert(CompactSignature.recover(hash, r, bytes32(highest + 1)) == address(0));
  }

  function testFuzz_continuity_is_what_its_formula_says(
    bytes24 head,
    uint64 seq,
    uint8 kind,
    bytes32 dataHash
  ) public pure {
    if (seq == type(uint64).max) return;
    (uint64 nextSeq, bytes24 nextHead) = Continuity.split(
      Continuity.next(bytes32(head) | bytes32(uint256(seq)), kind, dataHash)
    );
    assert(nextSeq == seq + 1);
    assert(nextHead == bytes24(keccak256(abi.encode(head, nextSeq, kind, dataHash))));
  }
}
