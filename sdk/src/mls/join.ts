/** Joining by a welcome. */
import type { Welcome } from 'ts-mls'
import { joinGroupWithExtensions } from 'ts-mls/clientState.js'
import { makeKeyPackageRef } from 'ts-mls/keyPackage.js'
import { decodeMlsMessage } from 'ts-mls/message.js'
import { emptyPskIndex } from 'ts-mls/pskIndex.js'
import { decryptGroupInfo, decryptGroupSecrets } from 'ts-mls/welcome.js'
import { type GroupMember, members, ownKeys } from './group.ts'
import type { OwnKeyPackage } from './key-packages.ts'
import { type MlsState, wrapState } from './state.ts'
import { type Mls, WELCOME_EXTENSION } from './suites.ts'
import { isSoundTree } from './trees.ts'

/** A group as a new member finds it. */
export interface Joined {
  state: MlsState
  /** What the committer wrote into the welcome; empty when nothing. */
  welcomeData: Uint8Array
  /** Who signed the welcome. */
  welcomer: GroupMember
}

/** The group that a welcome leads into; `undefined` when it is not valid or for another key package. */
export async function join(
  mls: Mls,
  { welcome, own }: { welcome: Uint8Array; own: OwnKeyPackage },
): Promise<Joined | undefined> {
  const keys = ownKeys(own)
  try {
    const [message, length] = decodeMlsMessage(welcome, 0) ?? []
    if (message?.wireformat !== 'mls_welcome' || length !== welcome.length) return undefined
    const signer = await signerOf(mls, message.welcome, keys)
    if (signer === undefined) return undefined
    const [state, extensions] = await joinGroupWithExtensions(
      message.welcome,
      keys.keyPackage,
      keys.secrets,
      emptyPskIndex,
      mls.impl,
      undefined,
      undefined,
      mls.config,
    )
    const data = extensions.find(({ extensionType }) => extensionType === WELCOME_EXTENSION)
    const joined = wrapState(state)
    const welcomer = members(joined).find(({ leaf }) => leaf === signer)
    if (!welcomer) return undefined
    return { state: joined, welcomeData: data?.extensionData ?? new Uint8Array(), welcomer }
  } catch {
    return undefined
  }
}

/** Opens the welcome once before ts-mls does, to look at the tree; the leaf that signed it. */
async function signerOf(
  mls: Mls,
  welcome: Welcome,
  { keyPackage, secrets }: ReturnType<typeof ownKeys>,
): Promise<number | undefined> {
  const reference = await makeKeyPackageRef(keyPackage, mls.impl.hash)
  const initKey = await mls.impl.hpke.importPrivateKey(secrets.initPrivateKey)
  const opened = await decryptGroupSecrets(initKey, reference, welcome, mls.impl.hpke)
  // Pre-shared keys are not part of a conversation.
  if (!opened || opened.psks.length > 0) return undefined
  const noPsk = new Uint8Array(mls.impl.kdf.size)
  const info = await decryptGroupInfo(welcome, opened.joinerSecret, noPsk, mls.impl)
  return info && isSoundTree(info) ? info.signer : undefined
}
