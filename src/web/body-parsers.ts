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
  // A key like __proto__ is a key like any other: what is told to users' calls of unknown ones is true of it too, and one odd record
  // of a unit does not refuse its neighbours. Nothing here merges bodies into other objects.
  const parseJson = fastify.getDefaultJsonParser('ignore', 'ignore')
  app.useBodyParser<RawServerDefault>('application/json', {}, (request, body, done) => {
    // Many clients name JSON on every request, also on one without a body.
    if (body.length === 0) done(null, undefined)
    else void parseJson(request, body.toString(), done)
  })
  app.useBodyParser(FORM, {}, (_request, _body, done) => done(new AppError('unsupported_media_type', 'Send JSON')))
  fastify.removeContentTypeParser('text/plain')
}
