import { z } from 'zod'
import { CONFIG_SCHEMA } from './config.schema.js'

const HEADER = `# Milepost reads its configuration from the environment, and from a file named .env for what the environment does not set.
# Generated from src/config/config.schema.ts by \`npm run env:example\`. Every variable is optional; the values shown are the defaults.
`

/** The text of `.env.example`, made from the schema: each variable with its meaning and default, commented out. */
export function renderEnvExample(): string {
  const variables = Object.entries(CONFIG_SCHEMA.shape).map(([name, schema]) => {
    const fallback = schema instanceof z.ZodOptional ? undefined : schema.safeParse(undefined)
    return `\n# ${schema.description}\n# ${name}=${fallback?.success ? renderDefault(fallback.data) : ''}\n`
  })
  return HEADER + variables.join('')
}

function renderDefault(value: unknown): string {
  return Array.isArray(value) ? value.join(',') : String(value)
}
