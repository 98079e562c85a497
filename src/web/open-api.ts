import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger'
import { completeDocument } from './complete-document.js'
import { openApiSchema } from './open-api-schema.js'
import { problemSchema } from './problem.js'

const DESCRIPTION = `Fleet telematics: trucks' units send positions, dispatchers watch and command them.

**Two kinds of bearer token.** Units log in at \`POST /api/v1/auth/device\` and use the *device* token; people log in at
\`POST /api/v1/auth/login\` and use the *user* token. A token of one kind is refused everywhere the other is expected. To try calls
out here, put the \`accessToken\` into *Authorize*.

**Errors** are RFC 9457 problem details with a stable \`code\`; a method that a path does not have is answered 405
\`method_not_allowed\` with \`Allow\`. **Lists** answer \`{items, nextCursor}\`; give \`nextCursor\` back as \`cursor\`. A filter that takes
several values takes them repeated or separated by commas; query parameters that are not named here are refused. **Times** go out as
ISO 8601 UTC with milliseconds and come in with any offset, or as epoch milliseconds.

Socket events are described with an example of each in \`docs/device-guide.md\` (units, on the default namespace) and in
\`docs/live-feed.md\` (users, on \`/live\`).`

/** Groups of routes in the order in which a reader needs them. */
const TAGS = {
  auth: 'Tokens for people and units, and the public keys to check them with',
  devices: 'The registry of units: who they are, whether they are online, where they were last',
  tracks: 'Where a device has been, as pages or as a file, and how far',
  alarms: 'What units think a person should see, and what people make of it',
  videos: 'Evidence: the files that units uploaded, with their pictures',
  commands: 'What units are told to do, and what becomes of it',
  units: 'What units themselves call, with a device token',
  users: 'People and their roles; for admins',
  audit: 'What users changed; for admins',
  operations: 'Health, metrics and refused records, for those who run the server',
}

/** Serves Swagger UI at `/docs` and the document at `/openapi.json`. */
export function setUpOpenApi(app: NestFastifyApplication): void {
  SwaggerModule.setup('docs', app, () => createOpenApi(app), {
    jsonDocumentUrl: 'openapi.json',
    yamlDocumentUrl: 'openapi.yaml',
    customSiteTitle: 'Milepost API',
    swaggerOptions: {
      persistAuthorization: true,
      displayRequestDuration: true,
      // An operation opens at its own address, and the list of schemas waits below until somebody asks for it.
      deepLinking: true,
      defaultModelsExpandDepth: 0,
    },
  })
}

/** The OpenAPI document of every route. */
export function createOpenApi(app: NestFastifyApplication): OpenAPIObject {
  const builder = new DocumentBuilder()
    .setTitle('Milepost')
    .setDescription(DESCRIPTION)
    .setVersion('1.0')
    .setLicense('Apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0')
    .addBearerAuth(bearer('Token of a person, from `POST /api/v1/auth/login`'), 'user')
    .addBearerAuth(bearer('Token of a unit, from `POST /api/v1/auth/device`'), 'device')
  for (const [tag, description] of Object.entries(TAGS)) builder.addTag(tag, description)
  const document = SwaggerModule.createDocument(app, builder.build())
  const schemas = { ...document.components?.schemas, Problem: openApiSchema(problemSchema, 'output') }
  return completeDocument({ ...document, components: { ...document.components, schemas } })
}

const bearer = (description: string) => ({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description }) as const
