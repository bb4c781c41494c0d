/** Making, joining and changing a group. States go in, states come out; nothing is changed in place. */
import { MainframeError } from '@mainframe/protocol'
import type { Extension, Proposal } from 'ts-mls'
import { createGroup as startGroup } from 'ts-mls/clientState.js'
import {
  createCommit,
  createGroupInfoWithExternalPubAndRatchetTree,
  joinGroupExternal,
} from 'ts-mls/createCommit.js'
import { createApplicationMessage } from 'ts-mls/createMessage.js'
import { mlsExporter } from 'ts-mls/keySchedule.js'
import { decodeMlsMessage, encodeMlsMessage } from 'ts-mls/message.js'
import { decodeKeyPackage, decodeSecrets, type OwnKeyPackage } from './key-packages.ts'
import { type MlsState, wipeConsumed, wrapState } from './state.ts'
import { GROUP_EXTENSION, inboxKeyOf, type Mls, WELCOME_EXTENSION } from './suites.ts'
import { isSoundTree } from './trees.ts'

export interface GroupMember {
  /** Place in the tree; stays the same while the member is in the group. */
  leaf: number
  inboxKey: Uint8Array
  signatureKey: Uint8Array
}

/** What a commit changes; without anything it renews the committer's own keys. */
export interface Changes {
  /** Key packages of new members. */
  add?: readonly Uint8Array[]
  /** Leaves of members to be removed, never one's own. */
  remove?: readonly number[]
  /** Replaces the group's extension. */
  groupData?: Uint8Array
  /** What new members read in their welcome. */
  welcomeData?: Uint8Array
  /** Goes with the commit, signed but not encrypted beyond the packet. */
  authenticatedData?: Uint8Array
}

export interface Committed {
  state: MlsState
  commit: Uint8Array
  /** For all new members; `undefined` without any. */
  welcome: Uint8Array | undefined
}

/** A group of one. Throws `CRYPTO_INVALID_KEY` when the key package is not one's own. */
export async function createGroup(
  mls: Mls,
  options: { groupId: Uint8Array; own: OwnKeyPackage; groupData: Uint8Array },
): Promise<MlsState> {
  const { keyPackage, secrets } = ownKeys(options.own)
  const extensions = [groupExtension(options.groupData)]
  return wrapState(
    await startGroup(options.groupId, keyPackage, secrets, extensions, mls.impl, mls.config),
  )
}

/**
 * Commits changes on top of a state, which stays usable for reading: a rival commit may win. From one
 * state at most one commit may ever be published. Throws `VALIDATION_FAILED` when the group's rules
 * forbid the changes.
 */
export async function commit(mls: Mls, state: MlsState, changes: Changes): Promise<Committed> {
  try {
    const result = await createCommit(
      { state: state.inner, cipherSuite: mls.impl },
      {
        extraProposals: proposalsOf(changes),
        ratchetTreeExtension: true,
        groupInfoExtensions: changes.welcomeData
          ? [{ extensionType: WELCOME_EXTENSION, extensionData: changes.welcomeData }]
          : [],
        authenticatedData: changes.authenticatedData ?? new Uint8Array(),
      },
    )
    // `result.consumed` is not zeroed here: the state that was committed upon is still needed.
    const { welcome } = result
    return {
      state: wrapState(result.newState),
      commit: encodeMlsMessage(result.commit),
      welcome:
        welcome && encodeMlsMessage({ version: 'mls10', wireformat: 'mls_welcome', welcome }),
    }
  } catch (cause) {
    throw new MainframeError('VALIDATION_FAILED', 'The group does not allow this change', { cause })
  }
}

/** Seals an application message; the new state must be durable before the bytes leave. */
export async function encrypt(
  mls: Mls,
  state: MlsState,
  text: Uint8Array,
): Promise<{ state: MlsState; bytes: Uint8Array }> {
  const result = await createApplicationMessage(state.inner, text, mls.impl)
  wipeConsumed(result.consumed)
  const { privateMessage } = result
  return {
    state: wrapState(result.newState),
    bytes: encodeMlsMessage({
      version: 'mls10',
      wireformat: 'mls_private_message',
      privateMessage,
    }),
  }
}

/** A secret that all members of this epoch can derive, and nobody else (RFC 9420 §8.5). */
export function exportSecret(
  mls: Mls,
  state: MlsState,
  { label, context, length }: { label: string; context: Uint8Array; length: number },
): Promise<Uint8Array> {
  return mlsExporter(state.inner.keySchedule.exporterSecret, label, context, length, mls.impl)
}

/** A value that all who are in the same epoch of the same branch have, and nobody else. */
export function epochAuthenticator(state: MlsState): Uint8Array {
  return state.inner.keySchedule.epochAuthenticator
}

export function members(state: MlsState): GroupMember[] {
  return state.inner.ratchetTree.flatMap((node, index) => {
    if (node?.nodeType !== 'leaf') return []
    const inboxKey = inboxKeyOf(node.leaf.credential)
    return inboxKey
      ? [{ leaf: index / 2, inboxKey, signatureKey: node.leaf.signaturePublicKey }]
      : []
  })
}

export function ownLeaf(state: MlsState): number {
  return state.inner.privatePath.leafIndex
}

/** The group's extension, empty when there is none. */
export function groupData(state: MlsState): Uint8Array {
  const { extensions } = state.inner.groupContext
  return (
    extensions.find(({ extensionType }) => extensionType === GROUP_EXTENSION)?.extensionData ??
    new Uint8Array()
  )
}

/** Everything that an external commit needs. Whoever has it can come in: for former members only. */
export async function groupInfo(mls: Mls, state: MlsState): Promise<Uint8Array> {
  const info = await createGroupInfoWithExternalPubAndRatchetTree(state.inner, [], mls.impl)
  return encodeMlsMessage({ version: 'mls10', wireformat: 'mls_group_info', groupInfo: info })
}

/**
 * Comes back into a group in which one's own leaf still stands, and replaces that leaf.
 * `undefined` when the group info is not valid.
 */
export async function rejoin(
  mls: Mls,
  input: { groupInfo: Uint8Array; own: OwnKeyPackage; authenticatedData?: Uint8Array },
): Promise<{ state: MlsState; commit: Uint8Array } | undefined> {
  const { keyPackage, secrets } = ownKeys(input.own)
  try {
    const [message, length] = decodeMlsMessage(input.groupInfo, 0) ?? []
    if (message?.wireformat !== 'mls_group_info' || length !== input.groupInfo.length) {
      return undefined
    }
    const { signaturePublicKey } = keyPackage.leafNode
    // ts-mls would look for ever for the former leaf of somebody who has none.
    if (!isSoundTree(message.groupInfo, signaturePublicKey)) return undefined
    const { newState, publicMessage } = await joinGroupExternal(
      message.groupInfo,
      keyPackage,
      secrets,
      true,
      mls.impl,
      undefined,
      mls.config,
      input.authenticatedData,
    )
    return {
      state: wrapState(newState),
      commit: encodeMlsMessage({
        version: 'mls10',
        wireformat: 'mls_public_message',
        publicMessage,
      }),
    }
  } catch {
    return undefined
  }
}

function proposalsOf({ add = [], remove = [], groupData }: Changes): Proposal[] {
  return [
    ...add.map((bytes): Proposal => {
      const keyPackage = decodeKeyPackage(bytes)
      if (!keyPackage) throw new MainframeError('CODEC_INVALID', 'Not a key package')
      return { proposalType: 'add', add: { keyPackage } }
    }),
    ...remove.map((leaf): Proposal => ({ proposalType: 'remove', remove: { removed: leaf } })),
    ...(groupData
      ? [
          {
            proposalType: 'group_context_extensions' as const,
            groupContextExtensions: { extensions: [groupExtension(groupData)] },
          },
        ]
      : []),
  ]
}

function groupExtension(extensionData: Uint8Array): Extension {
  return { extensionType: GROUP_EXTENSION, extensionData }
}

/** For the folder `mls`: a key package and its secrets in the form of ts-mls. */
export function ownKeys(own: OwnKeyPackage) {
  const keyPackage = decodeKeyPackage(own.keyPackage)
  const secrets = decodeSecrets(own.secrets)
  if (!keyPackage || !secrets) {
    throw new MainframeError('CRYPTO_INVALID_KEY', 'Not a key package of this client')
  }
  return { keyPackage, secrets }
}
