import { setTimeout as sleep } from 'node:timers/promises'
import { type BeforeApplicationShutdown, Injectable, Logger } from '@nestjs/common'
import { AlarmIntake } from './ingress/alarm-intake.js'
import { LocationIntake } from './ingress/location-intake.js'
import { Admission } from './ingress/socket/admission.js'
import { AlarmCommit } from './pipeline/alarm-commit.js'
import { GroupCommit } from './pipeline/group-commit.js'
import { Quarantine } from './pipeline/quarantine.js'
import { Sessions } from './sessions/sessions.js'
import { UploadsUnderWay } from './videos/uploads-under-way.js'
import { InFlight } from './web/in-flight.js'
import { SocketServer } from './web/socket-server.js'

/** Time for acknowledgements and `closing` to leave before the connections are cut. */
const FLUSH_MS = 100
const REQUESTS_WITHIN_MS = 3000
/** Time for units that were sending to read that they are to come again: what is cut at once is read by nobody. */
const ANSWERS_READ_MS = 500

/** Every way in for new units and new reports. */
@Injectable()
export class IntakeGate {
  constructor(
    private readonly locations: LocationIntake,
    private readonly alarms: AlarmIntake,
    private readonly admission: Admission,
  ) {}

  close(): void {
    this.locations.stop()
    this.alarms.stop()
    this.admission.stop()
  }
}

/** What was taken and is not on disk yet. */
@Injectable()
export class Commits {
  constructor(
    private readonly positions: GroupCommit,
    private readonly alarms: AlarmCommit,
  ) {}

  async drain(): Promise<void> {
    await Promise.all([this.positions.drain(), this.alarms.drain()])
  }
}

/** Every live connection. */
@Injectable()
export class Connections {
  constructor(
    private readonly sessions: Sessions,
    private readonly sockets: SocketServer,
    private readonly uploads: UploadsUnderWay,
  ) {}

  /** Tells the units why. */
  end(): void {
    this.sessions.endAll('shutting_down')
  }

  /** Resolves when what came of uploads is kept, or dropped. */
  async cut(): Promise<void> {
    this.sockets.disconnectAll()
    if ((await this.uploads.stop()) > 0) await sleep(ANSWERS_READ_MS)
  }
}

/** A graceful stop: take nothing new, finish what is in the pipeline, acknowledge it, say why, close. Stores close after this. */
@Injectable()
export class Shutdown implements BeforeApplicationShutdown {
  private readonly logger = new Logger('shutdown')

  constructor(
    private readonly intake: IntakeGate,
    private readonly commits: Commits,
    private readonly quarantine: Quarantine,
    private readonly inFlight: InFlight,
    private readonly connections: Connections,
  ) {}

  async beforeApplicationShutdown(): Promise<void> {
    this.logger.log({ event: 'stopping' })
    this.intake.close()
    this.inFlight.stopAccepting()
    await this.commits.drain()
    await this.inFlight.drained(REQUESTS_WITHIN_MS)
    await sleep(FLUSH_MS)
    this.connections.end()
    await sleep(FLUSH_MS)
    await this.connections.cut()
    await this.quarantine.drain()
  }
}
