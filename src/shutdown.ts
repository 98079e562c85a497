import { setTimeout as sleep } from 'node:timers/promises'
import { type BeforeApplicationShutdown, Injectable, Logger } from '@nestjs/common'
import { AlarmIntake } from './ingress/alarm-intake.js'
import { LocationIntake } from './ingress/location-intake.js'
import { Admission } from './ingress/socket/admission.js'
import { Trackers } from './ingress/tracker/trackers.js'
import { AlarmCommit } from './pipeline/alarm-commit.js'
import { GroupCommit } from './pipeline/group-commit.js'
import { Quarantine } from './pipeline/quarantine.js'
import { RawArchive } from './pipeline/raw-archive.js'
import { Spool } from './pipeline/spool.js'
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
    private readonly trackers: Trackers,
  ) {}

  close(): void {
    this.locations.stop()
    this.alarms.stop()
    this.admission.stop()
    this.trackers.stop()
  }
}

/** What was taken and is not on disk yet. */
@Injectable()
export class Commits {
  constructor(
    private readonly positions: GroupCommit,
    private readonly alarms: AlarmCommit,
    private readonly spool: Spool,
  ) {}

  /** What waits on the local disk goes on waiting there. */
  async drain(): Promise<void> {
    await Promise.all([this.spool.stop(), this.positions.drain(), this.alarms.drain()])
  }

  /** Once nothing can come in any more. Resolves when what senders will not send again is stored, or on the local disk. */
  async settle(): Promise<void> {
    await this.spool.drain()
  }
}

/** Every live connection. */
@Injectable()
export class Connections {
  constructor(
    private readonly sessions: Sessions,
    private readonly sockets: SocketServer,
    private readonly uploads: UploadsUnderWay,
    private readonly trackers: Trackers,
  ) {}

  /** Tells the units why. */
  end(): void {
    this.sessions.endAll('shutting_down')
  }

  /** Resolves when what came of uploads is kept, or dropped. */
  async cut(): Promise<void> {
    this.sockets.disconnectAll()
    await this.trackers.close()
    if ((await this.uploads.stop()) > 0) await sleep(ANSWERS_READ_MS)
  }
}

/** What is written behind the answers. */
@Injectable()
export class Evidence {
  constructor(
    private readonly quarantine: Quarantine,
    private readonly frames: RawArchive,
  ) {}

  async drain(): Promise<void> {
    await Promise.all([this.quarantine.drain(), this.frames.drain()])
  }
}

/** A graceful stop: take nothing new, finish what is in the pipeline, acknowledge it, say why, close. Stores close after this. */
@Injectable()
export class Shutdown implements BeforeApplicationShutdown {
  private readonly logger = new Logger('shutdown')

  constructor(
    private readonly intake: IntakeGate,
    private readonly commits: Commits,
    private readonly evidence: Evidence,
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
    await this.commits.settle()
    await this.evidence.drain()
  }
}
