/** What the files of money in a data folder are called. */
export const VOUCHER_FILE = 'vouchers.log'
export const SIGNED_FILE = 'signed.log'
export const LEDGER_FOLDER = 'accounts'
