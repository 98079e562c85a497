import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger'
import { openApiSchema } from './open-api-schema.js'
import { problemSchema } from './problem.js'

const DESCRIPTION = `Fleet telematics: trucks' units send positions, dispatchers watch and command them.

**Two kinds of bearer token.** Units log in at \`POST /api/v1/auth/device\` and use the *device* token; people log in at
\`POST /api/v1/auth/login\` and use the *user* token. A token of one kind is refused everywhere the other is expected.

**Errors** are RFC 9457 problem details with a stable \`code\`. **Lists** answer \`{items, nextCursor}\`; give \`nextCursor\` back as
\`cursor\`. **Times** go out as ISO 8601 UTC with milliseconds and come in with any offset, or as epoch milliseconds.

Socket events (units on the default namespace, users on \`/live\`) are described in \`docs/device-guide.md\`.`

/** Serves Swagger UI at `/docs` and the document at `/openapi.json`. */
export function setUpOpenApi(app: NestFastifyApplication): void {
  SwaggerModule.setup('docs', app, () => createOpenApi(app), {
    jsonDocumentUrl: 'openapi.json',
    yamlDocumentUrl: 'openapi.yaml',
    customSiteTitle: 'Milepost API',
    swaggerOptions: { persistAuthorization: true, displayRequestDuration: true, tagsSorter: 'alpha' },
  })
}

/** The OpenAPI document of every route. */
export function createOpenApi(app: NestFastifyApplication): OpenAPIObject {
  const base = new DocumentBuilder()
    .setTitle('Milepost')
    .setDescription(DESCRIPTION)
    .setVersion('1.0')
    .setLicense('Apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0')
    .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'Token of a unit' }, 'device')
    .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'Token of a person' }, 'user')
    .build()
  const document = SwaggerModule.createDocument(app, base)
  const schemas = { ...document.components?.schemas, Problem: openApiSchema(problemSchema, 'output') }
  return { ...document, components: { ...document.components, schemas } }
}
