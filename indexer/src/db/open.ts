import type { Database } from './database.ts'
import { migrate } from './migrate.ts'
import { openPglite } from './pglite.ts'
import { openPostgres } from './postgres.ts'

/** Where the data lives: a PostgreSQL server, else a folder for PGlite, else memory. */
export interface DatabaseOptions {
  databaseUrl?: string
  dataFolder?: string
}

/** Opens the database and brings its schema up to date. */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { databaseUrl, dataFolder } = options
  const db = databaseUrl ? await openPostgres(databaseUrl) : await openPglite(dataFolder)
  try {
    await migrate(db)
    return db
  } catch (error) {
    await db.close()
    throw error
  }
}
