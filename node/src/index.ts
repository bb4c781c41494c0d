/** The relay as a library: what starts one, and what tools and tests need of it. */
export { type ConfigSources, loadConfig, loadSettings, type RelayConfig } from './config.ts'
export { Network, type NetworkOptions } from './links/network.ts'
export { createLogger } from './log.ts'
export { createKeys, loadKeys, type RelayKeys } from './operator/keys.ts'
export { type RegisterOptions, type Registration, registerRelay } from './operator/register.ts'
export { type Listening, Relay } from './relay.ts'
export { SETTINGS, type SettingDescription } from './settings.ts'
export type { RelayStatus } from './status.ts'
