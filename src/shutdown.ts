import { setTimeout as sleep } from 'node:timers/promises'
import { type BeforeApplicationShutdown, Injectable, Logger } from '@nestjs/common'
import { LocationIntake } from './ingress/location-intake.js'
import { Admission } from './ingress/socket/admission.js'
import { GroupCommit } from './pipeline/group-commit.js'
import { Quarantine } from './pipeline/quarantine.js'
import { Sessions } from './sessions/sessions.js'
import { InFlight } from './web/in-flight.js'
import { SocketServer } from './web/socket-server.js'

/** Time for acknowledgements and `closing` to leave before the connections are cut. */
const FLUSH_MS = 100
const REQUESTS_WITHIN_MS = 3000

/** Every way in for new units and new reports. */
@Injectable()
export class IntakeGate {
  constructor(
    private readonly intake: LocationIntake,
    private readonly admission: Admission,
  ) {}

  close(): void {
    this.intake.stop()
    this.admission.stop()
  }
}

/** Every live connection. */
@Injectable()
export class Connections {
  constructor(
    private readonly sessions: Sessions,
    private readonly sockets: SocketServer,
  ) {}

  /** Tells the units why. */
  end(): void {
    this.sessions.endAll('shutting_down')
  }

  cut(): void {
    this.sockets.disconnectAll()
  }
}

/** A graceful stop: take nothing new, finish what is in the pipeline, acknowledge it, say why, close. Stores close after this. */
@Injectable()
export class Shutdown implements BeforeApplicationShutdown {
  private readonly logger = new Logger('shutdown')

  constructor(
    private readonly intake: IntakeGate,
    private readonly commit: GroupCommit,
    private readonly quarantine: Quarantine,
    private readonly inFlight: InFlight,
    private readonly connections: Connections,
  ) {}

  async beforeApplicationShutdown(): Promise<void> {
    this.logger.log({ event: 'stopping' })
    this.intake.close()
    this.inFlight.stopAccepting()
    await this.commit.drain()
    await this.inFlight.drained(REQUESTS_WITHIN_MS)
    await sleep(FLUSH_MS)
    this.connections.end()
    await sleep(FLUSH_MS)
    this.connections.cut()
    await this.quarantine.drain()
  }
}
