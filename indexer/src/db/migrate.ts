import { readdir, readFile } from 'node:fs/promises'
import { MainframeError } from '@mainframe/protocol'
import type { Database } from './database.ts'

const FOLDER = new URL('../../migrations/', import.meta.url)

/**
 * Brings the schema up to date: every `NNN_name.sql` not yet applied, in order, all in one
 * transaction. Throws `STORE_CORRUPT` when the database was written by a newer indexer.
 */
export async function migrate(db: Database): Promise<void> {
  const files = (await readdir(FOLDER)).filter(isMigration).sort()
  const scripts = await Promise.all(files.map((name) => readFile(new URL(name, FOLDER), 'utf8')))
  await db.write(async (tx) => {
    await tx.query(
      'CREATE TABLE IF NOT EXISTS schema_version (version integer PRIMARY KEY, name text NOT NULL)',
    )
    const rows = await tx.query<{ version: number }>(
      'SELECT coalesce(max(version), 0) AS version FROM schema_version',
    )
    const applied = rows[0]?.version ?? 0
    if (applied > files.length) {
      throw new MainframeError('STORE_CORRUPT', 'The database belongs to a newer indexer')
    }
    for (const [i, script] of scripts.entries()) {
      if (i < applied) continue
      await tx.query(script)
      await tx.query('INSERT INTO schema_version VALUES ($1::integer, $2::text)', [
        i + 1,
        files[i] ?? '',
      ])
    }
  })
}

/** Throws `INDEXER_NOT_READY` unless the schema is the one of this indexer's migrations. */
export async function assertMigrated(db: Database): Promise<void> {
  const files = (await readdir(FOLDER)).filter(isMigration)
  const version = await db.read(async (tx) => {
    const [there] = await tx.query<{ there: boolean }>(
      `SELECT to_regclass('schema_version') IS NOT NULL AS there`,
      [],
    )
    if (!there?.there) return 0
    const [row] = await tx.query<{ version: number }>(
      'SELECT coalesce(max(version), 0) AS version FROM schema_version',
      [],
    )
    return row?.version ?? 0
  })
  if (version === files.length) return
  throw new MainframeError(
    'INDEXER_NOT_READY',
    'The database has another version of the schema; start an indexer of this version with --role ingest',
    { retryable: true },
  )
}

function isMigration(name: string): boolean {
  return /^\d{3}_.*\.sql$/.test(name)
}
