import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import type { Duplex } from 'node:stream'

/** An HTTP agent that can drop its TCP connections without a word, upgraded ones too (an agent's own `destroy` knows those no more). */
export interface CuttableAgent {
  readonly agent: HttpAgent
  cut(): void
}

export function cuttableAgent(origin: string): CuttableAgent {
  const agent = origin.startsWith('https:') ? new HttpsAgent() : new HttpAgent()
  const connections = new Set<Duplex>()
  const connect = agent.createConnection.bind(agent)
  agent.createConnection = (...args: Parameters<typeof connect>) => {
    const connection = connect(...args)
    connection?.once('close', () => connections.delete(connection))
    if (connection) connections.add(connection)
    return connection
  }
  return {
    agent,
    cut: () => {
      for (const connection of connections) connection.destroy()
    },
  }
}
