/** Name of the file in the directory of the embedded stores. */
export const FRAMES_FILE = 'frames.sqlite'

const DAY_MS = 86_400_000

/** Links are counted by device and by day, so that those of days that are over go with their frames. */
export function linkDay(atMs: number): number {
  return Math.floor(atMs / DAY_MS)
}

/**
 * Versions of the schema, oldest first. Frames lie in the order of arrival, so that a batch fills pages one after the other and the oldest
 * leave whole pages; `id` is twice the place in that order, and one more for a frame that went out, so that the index by device and
 * time, which ends with the id, serves every filter.
 */
export const FRAMES_SCHEMA: readonly string[] = [
  `CREATE TABLE devices(
     n INTEGER PRIMARY KEY,
     id TEXT NOT NULL UNIQUE
   );
   CREATE TABLE links(
     device INTEGER NOT NULL,
     day INTEGER NOT NULL,
     n INTEGER NOT NULL,
     protocol TEXT NOT NULL,
     name TEXT NOT NULL,
     PRIMARY KEY(device, day, n)
   ) WITHOUT ROWID;
   CREATE TABLE frames(
     id INTEGER PRIMARY KEY,
     device INTEGER NOT NULL,
     time INTEGER NOT NULL,
     link INTEGER NOT NULL,
     bytes BLOB NOT NULL
   );
   CREATE INDEX frames_device ON frames(device, time);
   CREATE TABLE health(id INTEGER PRIMARY KEY, checked INTEGER NOT NULL)`,
]
