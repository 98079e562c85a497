/** Name of the file in the directory of the embedded stores. */
export const QUARANTINE_FILE = 'quarantine.sqlite'

/**
 * Versions of the schema, oldest first. `raw` is kept as bytes, since SQLite's text functions end at a NUL. Ids are never
 * given twice.
 */
export const QUARANTINE_SCHEMA: readonly string[] = [
  `CREATE TABLE records(
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     device TEXT NOT NULL,
     ingress TEXT NOT NULL,
     code TEXT NOT NULL,
     received INTEGER NOT NULL,
     raw BLOB NOT NULL
   );
   CREATE INDEX records_device ON records(device, received, id);
   CREATE INDEX records_code ON records(code, received, id);
   CREATE INDEX records_received ON records(received, id);
   CREATE TABLE health(id INTEGER PRIMARY KEY, checked INTEGER NOT NULL)`,
]
