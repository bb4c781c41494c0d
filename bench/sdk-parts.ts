/** The parts of the client's bench that can be run alone, in the order in which all are. */
export const SDK_PARTS = ['browser', 'bundle', 'pair', 'group', 'join', 'live'] as const

export type SdkPart = (typeof SDK_PARTS)[number]
