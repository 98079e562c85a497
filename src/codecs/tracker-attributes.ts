import type { AttributeValue } from '../model/position.js'

/** What an element means: the name it goes by, and its value in canonical units, or undefined where the number says "unknown". */
export interface KnownElement {
  readonly name: string
  readonly read: (raw: Buffer) => AttributeValue | undefined
}

/** The attributes of one record: what is understood by its name, all the rest as `io.<id>`. Nothing is dropped, also what is repeated. */
export class TrackerAttributes {
  private readonly values: Record<string, AttributeValue> = {}
  private isEmpty = true
  /** How often a name was repeated: a frame may repeat one some thousand times. */
  private repeats: Map<string, number> | undefined

  /** @param known undefined: nobody understands it */
  addElement(id: number | string, raw: Buffer, known: KnownElement | undefined): void {
    const value = known?.read(raw)
    if (known !== undefined && value !== undefined && !Object.hasOwn(this.values, known.name)) {
      this.add(known.name, value)
    } else this.addRaw(`io.${id}`, raw)
  }

  /** Something that is a field of its own in the protocol. */
  add(name: string, value: AttributeValue): void {
    this.values[name] = value
    this.isEmpty = false
  }

  /** @returns null when there are none */
  toAttributes(): Readonly<Record<string, AttributeValue>> | null {
    return this.isEmpty ? null : this.values
  }

  private addRaw(name: string, raw: Buffer): void {
    let free = name
    while (Object.hasOwn(this.values, free)) free = `${name}.${this.nextOf(name)}`
    this.add(free, raw.length > 0 && raw.length <= 4 ? raw.readUIntBE(0, raw.length) : raw.toString('hex'))
  }

  private nextOf(name: string): number {
    this.repeats ??= new Map()
    const nth = (this.repeats.get(name) ?? 1) + 1
    this.repeats.set(name, nth)
    return nth
  }
}
