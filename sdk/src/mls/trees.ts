/** Checks that ts-mls leaves out and that would make it loop: leaves outside the tree. */
import { equalBytes } from '@mainframe/protocol'
import type { GroupInfo } from 'ts-mls'
import { ratchetTreeFromExtension } from 'ts-mls/groupInfo.js'

/** Most members of a group. */
export const MAX_MEMBERS = 256

/**
 * Whether a group info brings a tree of a size that is served, in which every index points inside,
 * and a leaf with a signature key, if one is given.
 */
export function isSoundTree(info: GroupInfo, signatureKey?: Uint8Array): boolean {
  const tree = ratchetTreeFromExtension(info)
  if (!tree || tree.length > 2 * MAX_MEMBERS - 1) return false
  const leaves = (tree.length + 1) / 2
  if (info.signer >= leaves) return false
  const isThere = tree.some(
    (node) =>
      node?.nodeType === 'leaf' &&
      (!signatureKey || equalBytes(node.leaf.signaturePublicKey, signatureKey)),
  )
  if (!isThere) return false
  return tree.every(
    (node) =>
      node?.nodeType !== 'parent' || node.parent.unmergedLeaves.every((leaf) => leaf < leaves),
  )
}
