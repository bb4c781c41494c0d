// Generated from contracts/PriceBoard.sol by `npm run build:abi`; not to be edited.
export const priceBoardAbi = [
  {"inputs":[{"name":"registry_","type":"address"},{"name":"delay_","type":"uint40"}],"stateMutability":"nonpayable","type":"constructor"},
  {"inputs":[{"name":"delay","type":"uint256"},{"name":"maximum","type":"uint256"}],"name":"BoardBadDelay","type":"error"},
  {"inputs":[{"name":"count","type":"uint256"},{"name":"maximum","type":"uint256"}],"name":"BoardBadRowCount","type":"error"},
  {"inputs":[{"name":"nodes","type":"uint256"},{"name":"services","type":"uint256"},{"name":"tokens","type":"uint256"}],"name":"BoardLengthMismatch","type":"error"},
  {"inputs":[{"name":"nodeId","type":"bytes32"},{"name":"caller","type":"address"}],"name":"BoardNotAuthorised","type":"error"},
  {"inputs":[{"name":"service","type":"bytes32"},{"name":"token","type":"address"}],"name":"BoardNothingToWithdraw","type":"error"},
  {"inputs":[{"name":"service","type":"bytes32"},{"name":"token","type":"address"}],"name":"BoardZeroPrice","type":"error"},
  {"anonymous":false,"inputs":[{"indexed":true,"name":"nodeId","type":"bytes32"},{"indexed":false,"name":"service","type":"bytes32"},{"indexed":false,"name":"token","type":"address"},{"indexed":false,"name":"schedule","type":"uint256"},{"indexed":false,"name":"continuity","type":"bytes32"}],"name":"PriceSet","type":"event"},
  {"inputs":[],"name":"MAX_ROWS","outputs":[{"name":"","type":"uint256"}],"stateMutability":"view","type":"function"},
  {"inputs":[],"name":"continuity","outputs":[{"name":"seq","type":"uint64"},{"name":"head","type":"bytes24"}],"stateMutability":"view","type":"function"},
  {"inputs":[{"name":"nodeId","type":"bytes32"},{"name":"service","type":"bytes32"},{"name":"token","type":"address"}],"name":"current","outputs":[{"name":"price","type":"uint96"},{"name":"unit","type":"uint8"}],"stateMutability":"view","type":"function"},
  {"inputs":[],"name":"delay","outputs":[{"name":"","type":"uint40"}],"stateMutability":"view","type":"function"},
  {"inputs":[],"name":"registry","outputs":[{"name":"","type":"address"}],"stateMutability":"view","type":"function"},
  {"inputs":[{"name":"nodeIds","type":"bytes32[]"},{"name":"services","type":"bytes32[]"},{"name":"tokens","type":"address[]"}],"name":"rows","outputs":[{"components":[{"name":"service","type":"bytes32"},{"name":"token","type":"address"},{"name":"price","type":"uint96"},{"name":"next","type":"uint96"},{"name":"nextFrom","type":"uint40"},{"name":"unit","type":"uint8"},{"name":"active","type":"bool"}],"name":"list","type":"tuple[]"}],"stateMutability":"view","type":"function"},
  {"inputs":[{"name":"nodeId","type":"bytes32"},{"name":"proof","type":"bytes32"},{"components":[{"name":"service","type":"bytes32"},{"name":"token","type":"address"},{"name":"price","type":"uint96"},{"name":"unit","type":"uint8"},{"name":"active","type":"bool"}],"name":"inputs","type":"tuple[]"}],"name":"setPrices","outputs":[],"stateMutability":"nonpayable","type":"function"},
] as const
