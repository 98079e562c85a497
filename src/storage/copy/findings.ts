/** So many are told in words; the rest is counted. */
const TOLD = 20

/** What was found, in words, however much it is. */
export class Findings {
  readonly told: string[] = []
  count = 0

  add(words: string): void {
    this.count++
    if (this.told.length < TOLD) this.told.push(words)
  }
}
