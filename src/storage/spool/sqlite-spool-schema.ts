/** Name of the file in the data directory. */
export const SPOOL_FILE = 'spool.sqlite'

/**
 * Versions of the schema, oldest first. Bodies are kept as bytes, since SQLite's text functions end at a NUL. The index alone answers how
 * many wait of each device and how large they are, so that a start does not read what an outage left. Ids are never given twice.
 */
export const SPOOL_SCHEMA: readonly string[] = [
  `CREATE TABLE entries(
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     device TEXT NOT NULL,
     key TEXT NOT NULL,
     kept INTEGER NOT NULL,
     bytes INTEGER NOT NULL,
     body BLOB NOT NULL
   );
   CREATE INDEX entries_device ON entries(device, key, bytes);
   CREATE TABLE health(id INTEGER PRIMARY KEY, checked INTEGER NOT NULL)`,
]
