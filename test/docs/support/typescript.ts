/** TypeScript that is no file: checked and run as if it stood in this folder. */
import { registerHooks } from 'node:module'
import { join } from 'node:path'
import ts from 'typescript'
import { ROOT } from './documents.ts'

/** What the compiler of the project has against it, by line; empty when it is right. */
export function checkTypes(sources: ReadonlyMap<string, string>): string[] {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(
    { ...config, include: [], files: [] },
    ts.sys,
    ROOT,
  )
  const files = new Map([...sources].map(([name, text]) => [join(import.meta.dirname, name), text]))
  const host = ts.createCompilerHost(options)
  const { fileExists, readFile, getSourceFile } = host
  host.fileExists = (path) => files.has(path) || fileExists(path)
  host.readFile = (path) => files.get(path) ?? readFile(path)
  host.getSourceFile = (path, version, ...rest) => {
    const text = files.get(path)
    if (text === undefined) return getSourceFile(path, version, ...rest)
    return ts.createSourceFile(path, text, version)
  }
  const program = ts.createProgram([...files.keys()], { ...options, noUnusedLocals: false }, host)
  const diagnostics = [...files.keys()].flatMap((path) => {
    const source = program.getSourceFile(path)
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
  })
  return diagnostics.map((diagnostic) => ts.formatDiagnostic(diagnostic, host).trim())
}

/** Runs a module to its end; it imports packages and files as a module of this folder would. */
export async function runModule(name: string, source: string): Promise<void> {
  const url = new URL(name, import.meta.url).href
  const hooks = registerHooks({
    resolve: (specifier, context, next) =>
      specifier === url ? { url, shortCircuit: true } : next(specifier, context),
    load: (target, context, next) =>
      target === url
        ? { format: 'module-typescript', source, shortCircuit: true }
        : next(target, context),
  })
  try {
    await import(url)
  } finally {
    hooks.deregister()
  }
}
