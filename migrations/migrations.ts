import { CreateDevices1795305600001 } from './1795305600001-create-devices.js'
import { CreateUsers1795305600002 } from './1795305600002-create-users.js'
import { CreateAudit1795305600003 } from './1795305600003-create-audit.js'
import { CreateAlarms1795305600004 } from './1795305600004-create-alarms.js'
import { CreateVideos1795305600005 } from './1795305600005-create-videos.js'
import { CreateCommands1795305600006 } from './1795305600006-create-commands.js'
import { CreateErasures1795305600007 } from './1795305600007-create-erasures.js'
import { FoldSharpS1795305600008 } from './1795305600008-fold-sharp-s.js'
import { CreateDirectUploads1795305600010 } from './1795305600010-create-direct-uploads.js'
import { ClaimVideos1795305600011 } from './1795305600011-claim-videos.js'

/** The relational schema, step by step, oldest first: one set for every database. A step that was released never changes. */
export const MIGRATIONS = [
  CreateDevices1795305600001,
  CreateUsers1795305600002,
  CreateAudit1795305600003,
  CreateAlarms1795305600004,
  CreateVideos1795305600005,
  CreateCommands1795305600006,
  CreateErasures1795305600007,
  FoldSharpS1795305600008,
  CreateDirectUploads1795305600010,
  ClaimVideos1795305600011,
] as const
