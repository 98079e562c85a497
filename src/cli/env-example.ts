import { writeFileSync } from 'node:fs'
import { renderEnvExample } from '../config/env-example.js'

writeFileSync('.env.example', renderEnvExample())
process.stdout.write('wrote .env.example\n')
