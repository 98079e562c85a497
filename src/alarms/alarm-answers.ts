import { NEXT_CURSOR } from '../web/schemas.js'
import { ALARM_CSV_HEADER } from './alarm-csv.js'

/** What the list of alarms is answered as, for the documentation. */
export const ALARM_ANSWERS = {
  'application/json': {
    type: 'object',
    required: ['items', 'nextCursor'],
    properties: {
      items: { type: 'array', items: { $ref: '#/components/schemas/Alarm' } },
      nextCursor: { type: 'string', nullable: true, ...NEXT_CURSOR },
    },
  },
  'text/csv': { type: 'string', description: 'RFC 4180, with a header row', example: ALARM_CSV_HEADER },
}
