/** Everything that node, indexer and SDK share. Pure, browser-safe, no I/O. */
export { mainframeTokenAbi } from './abi/mainframe-token.ts'
export { paymentChannelsAbi } from './abi/payment-channels.ts'
export { priceBoardAbi } from './abi/price-board.ts'
export { serviceRegistryAbi } from './abi/service-registry.ts'
export {
  ADDRESS_BYTES,
  compareDistance,
  discloseAddress,
  inboxAddress,
  MAX_LUMINOSITY,
  matchesPrefix,
  NAMED_RELAY,
  relayAddress,
  sharedBits,
} from './address.ts'
export {
  bigintToBytes,
  bytesToBigint,
  concatBytes,
  equalBytes,
  exactBytes,
  fromHex,
  type Hex,
  readU64,
  toHex,
  utf8,
  viewOf,
  writeU64,
} from './bytes.ts'
export { decodeContactCode, encodeContactCode } from './contact-code.ts'
export { aeadOpen, aeadSeal } from './crypto/aead.ts'
export { x25519 } from './crypto/agreement.ts'
export { createHpke, type Hpke, type HpkeContext } from './crypto/hpke.ts'
export type { KeyPair, Primitives } from './crypto/primitives.ts'
export { ed25519PublicKey, ed25519Sign, ed25519Verify } from './crypto/signing.ts'
export {
  type ChainRecord,
  CONTRACT_ROLES,
  type ContractRecord,
  type ContractRole,
  type DeploymentSource,
  parseDeployment,
} from './deployment.ts'
export { digest } from './digest.ts'
export type {
  ApiChannel,
  ApiChannelAnswer,
  ApiChannelsAnswer,
  ApiClosestAnswer,
  ApiContinuity,
  ApiDiscoverAnswer,
  ApiDiscoverRequest,
  ApiMeta,
  ApiNetworkAnswer,
  ApiNode,
  ApiNodeAnswer,
  ApiNodesAnswer,
  ApiNotReadyReason,
  ApiOffer,
  ApiPrice,
  ApiPriceSummary,
  ApiPricesSummaryAnswer,
  ApiProblem,
  ApiReadyAnswer,
  ApiRingRelay,
  ApiService,
  ApiServiceOffersAnswer,
  ApiServicesAnswer,
  ApiTopology,
} from './directory/api.ts'
export {
  type ApiEvent,
  type ApiLogContract,
  type ApiLogHeader,
  type ApiLogLine,
  logOfLine,
} from './directory/api-streams.ts'
export {
  advanceHead,
  bodyHash,
  continuesLog,
  decodeLogHead,
  encodeLogHead,
  GENESIS_HEAD,
  type LogHead,
  recordHash,
} from './directory/continuity.ts'
export {
  createLogDecoder,
  type DecodeLog,
  decodeLog,
  type ParsedLog,
  type ParseLog,
} from './directory/decode.ts'
export type {
  BoardEvent,
  BoardRow,
  ChainEvent,
  ChannelEvent,
  Continuity,
  Deployment,
  EventPlace,
  NodeRecord,
  RawLog,
  RegistryEvent,
} from './directory/events.ts'
export { decodeMultiaddrs } from './directory/multiaddrs.ts'
export {
  FRESHNESS_BLOCKS,
  MAX_PER_OPERATOR,
  type RankCandidate,
  type Ranked,
  type RankFactors,
  type RankReference,
  rankFactors,
  rankOffers,
} from './directory/rank.ts'
export {
  type ChannelRow,
  currentPrice,
  type NodeRow,
  type PriceRow,
  reduceChannel,
  reduceNode,
  reducePrice,
} from './directory/reduce.ts'
export { decodeSchedule, encodeSchedule, type PriceSchedule } from './directory/schedule.ts'
export {
  DEFAULT_EPOCH_SECONDS,
  epochOf,
  findEpochBlock,
  type TimedBlock,
} from './epoch.ts'
export {
  ERROR_CODES,
  type ErrorCode,
  errorCode,
  MainframeError,
  type MainframeErrorOptions,
} from './errors.ts'
export {
  decodeFrame,
  encodeFrame,
  FRAME_BYTES,
  FRAME_HEADER_BYTES,
  type Frame,
  type FrameFields,
  type FrameType,
  LINK_PROTOCOL,
} from './frame.ts'
export {
  CONTENT_BYTES,
  decodeInstruction,
  encodeInstruction,
  type Forward,
  type Instruction,
  LEAF_CONTENT_BYTES,
  MAX_DELAY_MS,
  MAX_HOPS,
  MESSAGE_PAYLOAD_BYTES,
  type Message,
} from './instruction.ts'
export {
  type Ack,
  CAUGHT_UP_FLAG,
  CREDIT_OUTCOMES,
  type Credit,
  type CreditOutcome,
  decodeAck,
  decodeCredit,
  decodeHello,
  decodeSubscribe,
  encodeAck,
  encodeCredit,
  encodeHello,
  encodeSubscribe,
  type Hello,
  MAX_REFUSALS,
  PACKET_REFUSALS,
  type PacketRefusal,
  type Subscribe,
} from './link/bodies.ts'
export { boundStream, type MessageStream, STREAM_WINDOW_BYTES } from './link/bounded-stream.ts'
export { type ByteStream, FrameWriter, readFrames } from './link/frame-stream.ts'
export type { PayerChannel } from './link/payer-channel.ts'
export {
  type CreditStop,
  LINK_QUEUE_LIMIT,
  PayerLink,
  type PayerLinkHandlers,
  type Shipment,
} from './link/payer-link.ts'
export {
  decodeReleaseAnswer,
  type EndingChannel,
  encodeReleaseAnswer,
  isReleased,
  RELEASE_OUTCOMES,
  type ReleaseAnswer,
  type ReleaseOutcome,
  releaseRequest,
  requestDigest,
} from './link/release.ts'
export {
  agreedVersion,
  isSpokenVersion,
  keepsQuote,
  LINK_VERSION,
  maxQuotes,
} from './link/version.ts'
export { mostPerPrefix, networkLuminosity } from './luminosity.ts'
export {
  BASE_PER_UNIT,
  baseToUnits,
  COIN_TOKEN,
  countableUnits,
  formatMft,
  MFT_DECIMALS,
  parseMft,
  priceToUnits,
  unitsToBase,
} from './money.ts'
export { nearest } from './nearest.ts'
export { buildOnion, type Hop, type OnionInput } from './onion.ts'
export {
  type DecodeRefusal,
  decodeHeader,
  decodePacket,
  encodeHeader,
  FORWARD_HORIZON_MINUTES,
  FORWARD_LIFE_MINUTES,
  HEADER_BYTES,
  HOLD_CLASS_MINUTES,
  HOLD_CLASSES,
  HOLD_HORIZON_MINUTES,
  type HoldClass,
  headerOf,
  minutesNow,
  PACKET_BYTES,
  PACKET_ID_BYTES,
  PACKET_VERSION,
  type PacketHeader,
  packetId,
  padPacket,
  roundUpExpiry,
} from './packet.ts'
export { PERMIT_TOKEN_ABI, PERMIT_TYPES, type PermitDomain, permitDomain } from './permit.ts'
export {
  BOARD_UNIT,
  dearestPostage,
  destinationFee,
  highestRate,
  lowerPrices,
  type MediumPrices,
  medianOf,
  type PostageInput,
  type PostageTable,
  postageTable,
  type RelayPrices,
  roundDownPostage,
  roundUpPostage,
  routeFee,
  SERVICE_NAMES,
  tableFees,
} from './price.ts'
export { MAX_QUOTES, openQuote, type Quote, SIGNED_QUOTE_BYTES, signQuote } from './quote.ts'
export {
  isRegistrationSigned,
  nodeIdOf,
  nodeKeyOf,
  type RegistrationContext,
  registrationMessage,
  serviceId,
  signRegistration,
} from './registration.ts'
export {
  createKeyPair,
  LAYER_OVERHEAD_BYTES,
  openAgreed,
  openPacket,
  packetEnc,
  sealLayer,
} from './seal.ts'
export {
  type ChannelsDomain,
  type ChannelTerms,
  channelId,
  domainSeparator,
  MAX_AMOUNT,
  publicKeyAccount,
  type Release,
  recoverSigner,
  releaseDigest,
  SIGNATURE_BYTES,
  secretKeyAccount,
  signDigest,
  type Voucher,
  voucherDigest,
} from './voucher.ts'
