/** An invitation that we have. */
export interface Invitation {
  /** Of the conversation, 32 hex digits. */
  id: string
  /** What the one who invites calls it. */
  name: string
  /** Contact code of the one who invites. */
  from: string
  /** We have accepted, and wait for the welcome. */
  isAccepted: boolean
}
