import type { Database } from './database.ts'
import { assertMigrated, migrate } from './migrate.ts'
import { openPglite } from './pglite.ts'
import { openPostgres } from './postgres.ts'

/** Where the data lives: a PostgreSQL server, else a folder for PGlite, else memory. */
export interface DatabaseOptions {
  databaseUrl?: string
  dataFolder?: string
  /** Of a server that another process writes to: the schema must be there, and no lock is taken. */
  readOnly?: boolean
}

/**
 * Opens the database and brings its schema up to date. Throws `INDEXER_NOT_READY` when it is read only
 * and no process has written the schema of this version.
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { databaseUrl, dataFolder, readOnly = false } = options
  const db = databaseUrl ? await openPostgres(databaseUrl, readOnly) : await openPglite(dataFolder)
  try {
    if (readOnly) await assertMigrated(db)
    else await migrate(db)
    return db
  } catch (error) {
    await db.close()
    throw error
  }
}
