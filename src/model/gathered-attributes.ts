import type { Attributes, AttributeValue } from './position.js'

/** Characters of JSON that the attributes of a record may grow to by its parts: about what sixteen full frames of a tracker hold. */
export const MOST_GATHERED_CHARACTERS = 65_536

/** The name without the number that tells values of one name apart. */
const BASE = /^(?:io\.[^.]+|[^.]+)/
/** Brackets of the object. */
const EMPTY_CHARACTERS = 2
/** Colon and comma. */
const BETWEEN_CHARACTERS = 2

/** The values that go by one name, and its numbers. */
interface Family {
  readonly values: Set<AttributeValue>
  /** The next number that may be free. */
  next: number
}

/**
 * The attributes of one record whose parts come one after the other. What is there stays; what is not is added; a name that is there
 * with another value gets the next free number (`io.142.2`), as within a frame. So repeats add nothing, and nothing is lost. It takes
 * time that grows with the number of attributes, whatever they are.
 */
export class GatheredAttributes {
  private readonly values: Map<string, AttributeValue>
  private readonly families = new Map<string, Family>()
  private characters = EMPTY_CHARACTERS
  private hasGrown = false

  constructor(private readonly first: Attributes | null) {
    this.values = new Map(Object.entries(first ?? {}))
    for (const [name, value] of this.values) this.note(name, value)
  }

  get isGrown(): boolean {
    return this.hasGrown
  }

  /** @returns false: with it they would be too large, and nothing of it was added */
  add(part: Attributes | null): boolean {
    const added = Object.entries(part ?? {}).filter(([name, value]) => !this.has(name, value))
    if (added.length === 0) return true
    const characters = added.reduce((sum, [name, value]) => sum + charactersOf(name, value), this.characters)
    if (characters > MOST_GATHERED_CHARACTERS) return false
    for (const [name, value] of added) {
      const free = this.values.has(name) ? this.freeName(baseOf(name)) : name
      this.values.set(free, value)
      this.note(free, value)
    }
    this.hasGrown = true
    return true
  }

  toAttributes(): Attributes | null {
    return this.hasGrown ? Object.fromEntries(this.values) : this.first
  }

  private has(name: string, value: AttributeValue): boolean {
    return this.values.has(name) && this.familyOf(baseOf(name)).values.has(value)
  }

  private note(name: string, value: AttributeValue): void {
    this.familyOf(baseOf(name)).values.add(value)
    this.characters += charactersOf(name, value)
  }

  private familyOf(base: string): Family {
    const known = this.families.get(base)
    if (known !== undefined) return known
    const family: Family = { values: new Set(), next: 2 }
    this.families.set(base, family)
    return family
  }

  private freeName(base: string): string {
    const family = this.familyOf(base)
    while (this.values.has(`${base}.${family.next}`)) family.next++
    return `${base}.${family.next++}`
  }
}

function baseOf(name: string): string {
  return BASE.exec(name)?.[0] ?? name
}

function charactersOf(name: string, value: AttributeValue): number {
  return JSON.stringify(name).length + JSON.stringify(value).length + BETWEEN_CHARACTERS
}
