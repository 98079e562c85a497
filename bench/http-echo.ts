import Fastify from 'fastify'
import { ALARM_EXAMPLE } from '../src/web/alarm-json.js'

/** The floor of `POST /api/v1/locations` and `POST /api/v1/alarms`: Fastify that parses the JSON and answers at once. */
const app = Fastify()
app.post('/api/v1/locations', async () => ({ accepted: 1, duplicates: 0, rejected: [] }))
app.post('/api/v1/alarms', async (_request, reply) => reply.status(201).send(ALARM_EXAMPLE))
const url = await app.listen({ port: 0, host: '127.0.0.1' })
process.stdout.write(`echo listens on ${url}\n`)
process.once('SIGTERM', () => process.exit(0))
