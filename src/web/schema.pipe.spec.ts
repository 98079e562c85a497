import type { ArgumentMetadata } from '@nestjs/common'
import { z } from 'zod'
import type { AppError } from '../model/app-error.js'
import { SchemaPipe } from './schema.pipe.js'
import { bboxIn, booleanIn, limitIn, severalIn, timeIn } from './schemas.js'

const check = (type: ArgumentMetadata['type'], schema: z.ZodType, value: unknown) =>
  new SchemaPipe().transform(value, { type, schema })

const query = z.strictObject({
  limit: limitIn(),
  online: booleanIn(),
  type: severalIn(z.string()),
  from: timeIn('Inclusive').optional(),
  bbox: bboxIn(),
})

describe('SchemaPipe', () => {
  it('reads a query', async () => {
    const given = {
      limit: '7',
      online: 'false',
      type: ['a,b', 'c'],
      from: '2026-11-22T07:30:00 01:00',
      bbox: '170,-10,-170,10',
    }
    expect(await check('query', query, given)).toEqual({
      limit: 7,
      online: false,
      type: ['a', 'b', 'c'],
      from: Date.UTC(2026, 10, 22, 6, 30),
      bbox: { minLongitude: 170, minLatitude: -10, maxLongitude: -170, maxLatitude: 10 },
    })
    expect(await check('query', query, {})).toEqual({ limit: 50 })
  })

  it.each([
    { limit: '0' },
    { limit: '501' },
    { limit: '1e2' },
    { limit: '' },
    { online: 'yes' },
    { from: '2026-11-22' },
    { bbox: '1,2,3' },
    { bbox: '1,2,3,x' },
    { bbox: '0,10,1,-10' },
    { bbox: '0,-91,1,10' },
    { bbox: '-181,0,1,10' },
    { bbox: ',,,' },
  ])('refuses %j and names the field', async (given) => {
    const path = Object.keys(given)[0]
    await expect(check('query', query, given)).rejects.toMatchObject({ code: 'invalid_request', errors: [{ path }] })
  })

  it('refuses an unknown query parameter by its own code', async () => {
    await expect(check('query', query, { limti: '5' })).rejects.toMatchObject({
      code: 'unknown_parameter',
      errors: [{ path: 'limti', code: 'unknown_field' }],
    })
  })

  it('refuses an unknown body key as an invalid request', async () => {
    const body = z.strictObject({ inner: z.strictObject({ a: z.number() }) })
    await expect(check('body', body, { inner: { a: 1, b: 2 } })).rejects.toMatchObject({
      code: 'invalid_request',
      errors: [{ path: 'inner.b', code: 'unknown_field' }],
    })
  })

  it('says what is wrong in codes of its own, not of the library', async () => {
    const body = z.object({
      a: z.object({}),
      b: z.int().max(5),
      c: z.string(),
      d: z.union([z.string(), z.number()]),
      e: z.enum(['x']),
      f: z.string().refine(() => false, 'must be so'),
      g: z.array(z.int()).min(1),
    })
    const given = { b: 6, c: 1, d: true, e: 'y', f: 'z', g: [] }
    const error = await check('body', body, given).catch((thrown: AppError) => thrown)
    expect((error as AppError).errors?.map(({ path, code }) => [path, code])).toEqual([
      ['a', 'missing'],
      ['b', 'too_big'],
      ['c', 'invalid_type'],
      ['d', 'invalid_value'],
      ['e', 'invalid_value'],
      ['f', 'invalid_value'],
      ['g', 'too_small'],
    ])
    expect((error as AppError).message).toMatch(/^a: is missing; /)
  })

  it('lets a rule name its own code', async () => {
    const body = z.object({
      imei: z.string().superRefine((_, context) => {
        context.addIssue({ code: 'custom', params: { code: 'invalid_imei' }, message: 'no IMEI' })
      }),
    })
    await expect(check('body', body, { imei: 'x' })).rejects.toMatchObject({
      code: 'invalid_imei',
      errors: [{ path: 'imei', code: 'invalid_imei', message: 'no IMEI' }],
    })
  })

  it('answers a path parameter that cannot be with not_found', async () => {
    await expect(check('param', z.string().max(3), 'long')).rejects.toMatchObject({ code: 'not_found' })
  })
})
