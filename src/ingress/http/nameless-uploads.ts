import type { FastifyInstance } from 'fastify'
import { AppError } from '../../model/app-error.js'
import { API } from '../../web/api-path.js'

const NAMELESS = `/${API}/videos/`

/**
 * Refuses `PUT /videos/` for its empty name: the framework takes no empty parameter to a route and would find nothing there. It is
 * also what clients make of the names `.` and `..`, which they resolve before they send.
 */
export function refuseNamelessUploads(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', ({ method, url }, _reply, done) => {
    if (method === 'PUT' && url.split('?', 1)[0] === NAMELESS)
      done(new AppError('invalid_file_name', 'A file has a name'))
    else done()
  })
}
