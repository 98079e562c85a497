import type { FastifyInstance } from 'fastify'
import { API } from '../../web/api-path.js'

export const TUS_PATH = `${API}/videos/uploads`
export const TUS_VERSION = '1.0.0'
/** Media type of bytes of an upload. */
export const TUS_BYTES = 'application/offset+octet-stream'

/** Names the version of the protocol in every answer at its addresses, as tus demands: also where nothing else looks at the request. */
export function nameTusVersion(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', ({ url }, reply, done) => {
    const path = url.split('?', 1)[0] ?? ''
    if (path === `/${TUS_PATH}` || path.startsWith(`/${TUS_PATH}/`)) void reply.header('tus-resumable', TUS_VERSION)
    done()
  })
}
