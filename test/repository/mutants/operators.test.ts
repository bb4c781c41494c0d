import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { errorCode } from '@mainframe/protocol'
import { compile, SETTINGS } from '../../../scripts/mutants/compiler.ts'
import { generate } from '../../../scripts/mutants/generate.ts'
import type { Handmade } from '../../../scripts/mutants/handmade.ts'

const FILE = 'contracts/Example.sol'

/** A contract with these parts. The comment has letters of two and three bytes before everything else. */
const example = (...parts: string[]) => `// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;
// naïve – “quoted”
error Bad(uint256 x);
contract Example {
  event Done(uint256 x);
  uint256 public total;
  modifier guarded() { _; }
${parts.join('\n')}
}
`

const sourcesOf = (...parts: string[]) => new Map([[FILE, example(...parts)]])

/** What is changed in `Example.f`, or in the whole contract, without the operators' own order. */
function changes(...parts: string[]): string[] {
  return generate(sourcesOf(...parts), { deep: true, handmade: [], equivalent: {} })
    .map(({ id }) => id.replace(/^Example\.(f: )?/, ''))
    .sort()
}

describe('the mutants of a contract', () => {
  it('drop a requirement, each half of it, and move its bound', () => {
    const f = 'function f(uint256 a) public { require(a >= 2 && (a != 7 || a != 9), Bad(a)); }'
    assert.deepEqual(changes(f), [
      'a != 7 || a != 9 -> a != 7',
      'a != 7 || a != 9 -> a != 9',
      'a >= 2 && (a != 7 || a != 9) -> (a != 7 || a != 9)',
      'a >= 2 && (a != 7 || a != 9) -> a >= 2',
      'a >= 2 -> a > 2',
      'without require(a >= 2 && (a != 7 || a != 9))',
    ])
  })

  it('drop a modifier, and take or leave every branch', () => {
    const f =
      'function f(uint256 a) public view guarded returns (uint256) { if (a == total) return 1; return a < 3 ? a : 3; }'
    assert.deepEqual(changes(f), [
      'a < 3 -> a <= 3',
      'a < 3 ? a : 3 -> (3)',
      'a < 3 ? a : 3 -> (a)',
      'if (a == total) always',
      'if (a == total) never',
      'without guarded',
    ])
  })

  it('drop effects, events and attempts, but no step of a loop', () => {
    const f = `function f(uint256 a) external {
      for (uint256 i = 0; i < a; ++i) total += i;
      delete total;
      emit Done(a);
      try this.f(a) {} catch {}
    }`
    assert.deepEqual(changes(f), [
      'catch {} -> catch { revert(); }',
      'i < a -> i <= a',
      'total += i -> total -= i',
      'without delete total',
      'without emit Done',
      'without total += i',
      'without try this.f(a)',
    ])
  })

  it('hash less, hand on zeros, and change constants', () => {
    const parts = [
      'uint256 private constant LIMIT = 30 days;',
      'bytes32 private constant TYPE = keccak256("T(uint256 a)");',
      'function f(uint256 a) public pure returns (bytes32) { return g(a, abi.encode(TYPE, a)); }',
      'function g(uint256 a, bytes memory b) internal pure returns (bytes32) { return keccak256(b) << (a - LIMIT); }',
    ]
    assert.deepEqual(changes(...parts), [
      'LIMIT: 30 days -> (30 days + 1)',
      'TYPE: "T(uint256 a)" -> "T(uint256 a)x"',
      'abi.encode(..) without TYPE',
      'abi.encode(..) without a',
      'g(..): a -> 0',
      'g: a - LIMIT -> a + LIMIT',
      'g: keccak256(b) << (a - LIMIT) -> keccak256(b) >> (a - LIMIT)',
    ])
  })

  it('reach into assembly', () => {
    const f = `function f(uint256 a) public pure returns (uint256 b) {
      assembly ("memory-safe") {
        if iszero(lt(a, 3)) { revert(0, 0) }
        mstore(0, a)
        b := mload(0)
      }
    }`
    assert.deepEqual(changes(f), [
      'iszero(lt(a, 3)) -> lt(a, 3)',
      'lt(a, 3) -> gt(a, 3)',
      'without b := mload(0)',
      'without if iszero(lt(a, 3))',
      'without mstore(0, a)',
      'without revert(0, 0)',
    ])
  })

  it('have names that differ, the line they are on, and compile', () => {
    const f = `function f(uint256 a) public guarded {
      total = a;
      total = a;
      require(a > 1 && a < 5, Bad(a)); if (a == 3) total = a - 1; else emit Done(a);
      assembly ("memory-safe") { if gt(a, 2) { mstore(0, a) } }
    }`
    const sources = sourcesOf(f)
    const mutants = generate(sources, { deep: true, handmade: [], equivalent: {} })
    assert.equal(new Set(mutants.map(({ id }) => id)).size, mutants.length)
    const twins = mutants.filter(({ id }) => id.startsWith('Example.f: without total = a'))
    assert.deepEqual(
      twins.slice(0, 2).map(({ id, line }) => [id, line]),
      [
        ['Example.f: without total = a', 10],
        ['Example.f: without total = a (2)', 11],
      ],
    )
    for (const { id, file, text } of mutants) {
      assert.notEqual(text, sources.get(FILE), id)
      const [settings] = SETTINGS
      assert.ok(settings)
      const codes = compile(new Map([[file, text]]), [file], settings)
      assert.ok(Array.isArray(codes), `${id}: ${codes}`)
    }
  })
})

describe('a hand-made mutant', () => {
  const wraps: Handmade = {
    name: 'Example.f: wraps',
    file: FILE,
    old: ['total += a;', 'emit Done(a);'],
    new: ['unchecked { total += a; }', 'emit Done(a);'],
  }

  it('changes lines however they are indented', () => {
    const sources = sourcesOf('function f(uint256 a) public { total += a;\n        emit Done(a); }')
    const mutant = generate(sources, { deep: true, handmade: [wraps], equivalent: {} }).at(-1)
    assert.equal(mutant?.id, 'Example.f: wraps')
    assert.equal(mutant?.line, 9)
    assert.match(mutant?.text ?? '', /public \{ unchecked \{ total \+= a; \}\nemit Done\(a\); \}/)
  })

  it('is refused when its lines are gone, or there twice', () => {
    const line = 'total += a; emit Done(a);'
    for (const [body, count] of [
      ['', 0],
      [`${line} ${line}`, 2],
    ] as const) {
      const sources = sourcesOf(`function f(uint256 a) public { ${body} }`)
      assert.throws(
        () => generate(sources, { deep: true, handmade: [wraps], equivalent: {} }),
        (error: Error) =>
          errorCode(error) === 'VALIDATION_FAILED' && error.message.includes(`${count} times`),
      )
    }
  })
})

describe('the reasons of equivalent mutants', () => {
  it('are refused when there is no such mutant', () => {
    const sources = sourcesOf('function f(uint256 a) public { total = a; }')
    const id = 'Example.f: without total = a'
    assert.equal(
      generate(sources, { deep: true, handmade: [], equivalent: { [id]: 'nobody reads it' } })
        .length,
      1,
    )
    assert.throws(
      () =>
        generate(sources, {
          deep: true,
          handmade: [],
          equivalent: { [`${id} (2)`]: 'nobody reads it' },
        }),
      /There is no mutant "Example\.f: without total = a \(2\)"/,
    )
  })
})
