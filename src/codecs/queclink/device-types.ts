/** What reports of a model have around their positions. */
export type Family = 'vehicle' | 'asset'

interface Model {
  readonly model: string
  readonly family: Family
}

const models = (family: Family, names: Readonly<Record<string, readonly string[]>>): [string, Model][] =>
  Object.entries(names).flatMap(([model, types]) => types.map((type): [string, Model] => [type, { model, family }]))

/** By the digits of the protocol version that name the type: the first two of six, or the first six of ten. */
const MODELS: ReadonlyMap<string, Model> = new Map([
  ...models('vehicle', {
    GV200: ['04', '35'],
    GV300: ['06', '25'],
    GV55: ['0F', '2F'],
    GV500: ['1F', '36'],
    GV300W: ['27'],
    GV500VC: ['2D'],
    GV65: ['31'],
    GV75W: ['41'],
    GV56: ['4F'],
    GV55W: ['50'],
    GV500MAP: ['5E'],
    GV310LAU: ['6E'],
    GV600M: ['C2'],
    GV600MG: ['DC'],
    GV350M: ['F1'],
    GV800W: ['F8'],
    GV600W: ['FC'],
    GV58LAU: ['802004'],
    GV355CEU: ['802005'],
    GV30CEU: ['80201E'],
  }),
  ...models('asset', {
    GL200: ['02', '21'],
    GMT100: ['08', '3F'],
    GL500: ['11', '40'],
    GL300: ['1A', '30'],
    GL300VC: ['28'],
    GL300W: ['2C'],
    GT501: ['42'],
    GL530: ['44'],
    GB100: ['45'],
    GL50: ['52'],
    CV200: ['BD'],
    GL320M: ['C3'],
    GL500M: ['DE'],
    CV100LG: ['DF'],
  }),
])

/** @param version of the protocol, as messages carry it. @returns undefined: nobody knows the type */
export function modelOf(version: string): Model | undefined {
  return MODELS.get(version.slice(0, version.length === 10 ? 6 : 2).toUpperCase())
}
