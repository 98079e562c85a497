import type { FastifyReply } from 'fastify'
import { addVary, negotiate } from './negotiate.js'

const OFFERED = ['application/json', 'application/geo+json', 'application/gpx+xml', 'text/csv'] as const

describe('negotiate', () => {
  it.each([
    [undefined, 'application/json'],
    ['', 'application/json'],
    ['*/*', 'application/json'],
    ['application/*', 'application/json'],
    ['application/json', 'application/json'],
    ['application/json; charset=utf-8', 'application/json'],
    ['APPLICATION/GPX+XML', 'application/gpx+xml'],
    ['text/*', 'text/csv'],
    ['text/csv;header=present', 'text/csv'],
    ['application/geo+json, application/json', 'application/geo+json'],
    ['application/json;q=0.5, application/geo+json', 'application/geo+json'],
    ['application/json ; q=0.5 , text/csv ; q=0.6', 'text/csv'],
    ['text/csv;q=0.9, */*;q=0.1', 'text/csv'],
    ['*/*, text/csv', 'text/csv'],
    ['application/json;q=0, */*', 'application/geo+json'],
    ['application/*;q=0, */*;q=0.1', 'text/csv'],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'application/json'],
    ['application/json, text/plain, */*', 'application/json'],
    ['text/html;title="a,b", text/csv', 'text/csv'],
    ['text/csv;q="0.5", application/gpx+xml;q=0.4', 'text/csv'],
    ['garbage, text/csv', 'text/csv'],
  ])('for %p gives %p', (accept, expected) => {
    expect(negotiate(accept, OFFERED)).toBe(expected)
  })

  it.each(['text/html', 'garbage', 'application/json;q=0', '*/*;q=0', 'text/csv;q=7', 'application/problem+json', '"'])(
    'has nothing for %p',
    (accept) => {
      expect(negotiate(accept, OFFERED)).toBeUndefined()
    },
  )
})

describe('addVary', () => {
  it('keeps the fields that are there', () => {
    const headers: Record<string, unknown> = { vary: 'Origin' }
    const reply = {
      getHeader: (name: string) => headers[name],
      header: (name: string, value: unknown) => {
        headers[name] = value
      },
    }
    addVary(reply as unknown as FastifyReply, 'Accept')
    expect(headers).toEqual({ vary: 'Origin, Accept' })
    delete headers.vary
    addVary(reply as unknown as FastifyReply, 'Accept')
    expect(headers).toEqual({ vary: 'Accept' })
  })
})
