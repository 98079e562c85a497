/** Name of the file in the directory of the embedded stores. */
export const POSITIONS_FILE = 'positions.sqlite'

/**
 * Versions of the schema, oldest first. Devices have small numbers, so that a key is short and one device's rows lie
 * together in time order. `latest` says which row is a device's latest fix, and where, so that looking at the map reads a
 * narrow table.
 */
export const POSITIONS_SCHEMA: readonly string[] = [
  `CREATE TABLE devices(
     n INTEGER PRIMARY KEY,
     id TEXT NOT NULL UNIQUE
   );
   CREATE TABLE positions(
     device INTEGER NOT NULL,
     time INTEGER NOT NULL,
     disc INTEGER NOT NULL,
     received INTEGER NOT NULL,
     lat REAL,
     lon REAL,
     has_fix INTEGER NOT NULL,
     altitude REAL,
     speed REAL,
     heading REAL,
     accuracy REAL,
     satellites REAL,
     attributes TEXT,
     PRIMARY KEY(device, time, disc)
   ) WITHOUT ROWID;
   CREATE TABLE latest(
     device INTEGER PRIMARY KEY,
     time INTEGER NOT NULL,
     disc INTEGER NOT NULL,
     lat REAL,
     lon REAL
   );
   CREATE TABLE health(id INTEGER PRIMARY KEY, checked INTEGER NOT NULL)`,
]
