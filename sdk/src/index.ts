/** The client of the network: discover relays, pay them, send and receive dark-routed messages. */

export { decodeContactCode, encodeContactCode } from '@mainframe/protocol'
export { fileStore, indexedDbStore } from '#platform'
export type { Balance } from './actions/balance.ts'
export type { DiscoveredRelay, DiscoverParameters, DiscoverResult } from './actions/discover.ts'
export type { Estimate, EstimateParameters } from './actions/estimate.ts'
export type { Health, HealthPart, HealthReason } from './actions/health.ts'
export type { MessengerParameters } from './actions/messenger.ts'
export type { OpenedChannel } from './actions/open-channel.ts'
export type { SendParameters, Sent } from './actions/send.ts'
export type { ChannelSpending, ChannelTotals, Spending } from './actions/spending.ts'
export { Mainframe } from './client.ts'
export type {
  DeliveryView,
  MemberView,
  MessageView,
} from './conversations/ports.ts'
export type { MessageHandler, ReceivedMessage } from './messages/deliveries.ts'
export type { SendProgress, SendState } from './messages/outgoing.ts'
export { MAX_MESSAGE_BYTES } from './messages/payload.ts'
export { contactQr } from './messenger/contact-qr.ts'
export type { ContactState } from './messenger/contact-records.ts'
export type { Contact } from './messenger/contact-views.ts'
export type { Contacts, LetterOutcome } from './messenger/contacts.ts'
export type { MessengerEvent } from './messenger/events.ts'
export type { Invitation } from './messenger/invitation.ts'
export type { Messenger } from './messenger/messenger.ts'
export type { OpenConversation as Conversation } from './messenger/open-conversation.ts'
export { localNetwork, type NetworkOptions, parseNetworkProfile } from './network-profile.ts'
export type { MainframeOptions } from './options.ts'
export type { DaySpending } from './payments/budget.ts'
export type { CloseOutcome } from './payments/close-channel.ts'
export type { PayWith } from './payments/medium.ts'
export { PROFILES, type Profile, type ProfileName } from './profiles.ts'
export {
  type EncryptedStore,
  type EncryptionOptions,
  encryptedStore,
} from './store/encrypted-store.ts'
export { memoryStore } from './store/memory-store.ts'
export type { Store } from './store/store.ts'
