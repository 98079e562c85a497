import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import type { RawServerDefault } from 'fastify'
import { AppError } from '../model/app-error.js'

const FORM = 'application/x-www-form-urlencoded'

/**
 * Takes JSON, and refuses the forms and plain texts that Nest and Fastify would take too: a form can be sent by any page of another
 * origin. Before `app.init()`, which leaves alone what is registered by then.
 */
export function registerBodyParsers(app: NestFastifyApplication): void {
  const fastify = app.getHttpAdapter().getInstance()
  // A key like __proto__ is dropped: refusing the body for it would refuse the neighbours of one odd record.
  const parseJson = fastify.getDefaultJsonParser('remove', 'remove')
  app.useBodyParser<RawServerDefault>('application/json', {}, (request, body, done) => {
    // Many clients name JSON on every request, also on one without a body.
    if (body.length === 0) done(null, undefined)
    else void parseJson(request, body.toString(), done)
  })
  app.useBodyParser(FORM, {}, (_request, _body, done) => done(new AppError('unsupported_media_type', 'Send JSON')))
  fastify.removeContentTypeParser('text/plain')
}
