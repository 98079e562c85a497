import type { Attributes } from '../../model/position.js'
import type { RefusedRecord } from '../../model/report.js'
import { isFields } from './fields.js'

export const MAX_ATTRIBUTES = 50
export const MAX_ATTRIBUTE_BYTES = 4096

type RefusalCode = Extract<RefusedRecord['code'], 'invalid_field' | 'attributes_too_large'>

type DecodedAttributes =
  | { readonly value: Attributes | null; readonly refusal?: undefined }
  | { readonly value?: undefined; readonly refusal: RefusedRecord & { readonly code: RefusalCode } }

/** Decodes `attributes`: a flat object of strings, numbers and booleans; null, and an empty one, are none. */
export function decodeAttributes(value: unknown): DecodedAttributes {
  if (value === null) return { value: null }
  if (!isFields(value)) return refuse('invalid_field', 'attributes must be a flat object')
  const values = Object.values(value)
  if (values.length === 0) return { value: null }
  if (!values.every(isAttributeValue)) {
    return refuse('invalid_field', 'attributes may hold strings, numbers and booleans only')
  }
  if (values.length > MAX_ATTRIBUTES || Buffer.byteLength(JSON.stringify(value)) > MAX_ATTRIBUTE_BYTES) {
    const message = `attributes may hold ${MAX_ATTRIBUTES} values and ${MAX_ATTRIBUTE_BYTES} bytes in all`
    return refuse('attributes_too_large', message)
  }
  return { value: value as Attributes }
}

function refuse(code: RefusalCode, message: string): DecodedAttributes {
  return { refusal: { code, message } }
}

function isAttributeValue(value: unknown): boolean {
  return (
    typeof value === 'string' || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))
  )
}
