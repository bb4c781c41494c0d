import { readFile, writeFile } from 'node:fs/promises'

/** The contracts whose ABIs the other workspaces use, and the files that carry them. */
export const abiSources = [
  { contract: 'MainframeToken', file: 'mainframe-token', constant: 'mainframeTokenAbi' },
  { contract: 'ServiceRegistry', file: 'service-registry', constant: 'serviceRegistryAbi' },
  { contract: 'PriceBoard', file: 'price-board', constant: 'priceBoardAbi' },
  { contract: 'PaymentChannels', file: 'payment-channels', constant: 'paymentChannelsAbi' },
] as const

type AbiSource = (typeof abiSources)[number]

/** Where the generated file of one contract lies. */
export function abiFile(source: AbiSource): URL {
  return new URL(`../protocol/src/abi/${source.file}.ts`, import.meta.url)
}

/** The text of the generated file, from the compiled artifact; one ABI entry a line, so that diffs read well. */
export async function renderAbi({ contract, constant }: AbiSource): Promise<string> {
  const artifact = new URL(
    `../artifacts/contracts/${contract}.sol/${contract}.json`,
    import.meta.url,
  )
  const { abi } = JSON.parse(await readFile(artifact, 'utf8')) as { abi: unknown[] }
  const entries = abi.map((entry) => `  ${JSON.stringify(entry, withoutInternalTypes)},\n`).join('')
  return [
    `// Generated from contracts/${contract}.sol by \`npm run build:abi\`; not to be edited.\n`,
    `export const ${constant} = [\n${entries}] as const\n`,
  ].join('')
}

/** The compiler's names of types: nobody decodes by them, and pages would fetch them. */
function withoutInternalTypes(key: string, value: unknown): unknown {
  return key === 'internalType' ? undefined : value
}

if (import.meta.main) {
  for (const source of abiSources) {
    await writeFile(abiFile(source), await renderAbi(source))
    console.log(`wrote protocol/src/abi/${source.file}.ts`)
  }
}
