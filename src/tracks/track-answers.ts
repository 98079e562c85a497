import { NEXT_CURSOR } from '../web/schemas.js'

/** What the track is answered as, for the documentation. */
export const TRACK_ANSWERS = {
  'application/json': {
    type: 'object',
    required: ['items', 'nextCursor'],
    properties: {
      items: { type: 'array', items: { $ref: '#/components/schemas/Position' } },
      nextCursor: { type: 'string', nullable: true, ...NEXT_CURSOR },
    },
  },
  'application/geo+json': {
    type: 'object',
    required: ['type', 'features'],
    description: "RFC 7946: one Point per position, the position's other fields as properties",
    properties: {
      type: { type: 'string', enum: ['FeatureCollection'] },
      features: {
        type: 'array',
        items: {
          type: 'object',
          required: ['type', 'geometry', 'properties'],
          properties: {
            type: { type: 'string', enum: ['Feature'] },
            geometry: {
              type: 'object',
              nullable: true,
              required: ['type', 'coordinates'],
              properties: {
                type: { type: 'string', enum: ['Point'] },
                coordinates: { type: 'array', items: { type: 'number' }, minItems: 2, maxItems: 2 },
              },
            },
            properties: { type: 'object' },
          },
        },
      },
    },
  },
  'application/gpx+xml': { type: 'string', description: 'GPX 1.1: one track of one segment' },
  'text/csv': {
    type: 'string',
    description: 'RFC 4180, with a header row',
    example: 'time,latitude,longitude,altitude,speed,heading,accuracy,satellites,hasFix\r\n',
  },
}
