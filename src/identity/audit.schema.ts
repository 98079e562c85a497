import { z } from 'zod'
import { formatTime } from '../model/time.js'
import type { AuditRecord } from '../storage/sql/audit-records.js'
import { cursorIn, isForwardRange, limitIn, pageOut, severalIn, timeIn, timeOut, wordIn } from '../web/schemas.js'

export const auditListIn = z
  .strictObject({
    by: severalIn(wordIn('[A-Za-z0-9._@-]{1,64}')).describe('Usernames, or `system`'),
    action: severalIn(wordIn('[a-z_.]{1,64}')).describe('Such as `device.create`'),
    from: timeIn('Inclusive').optional(),
    to: timeIn('Exclusive').optional(),
    limit: limitIn(),
    cursor: cursorIn(),
  })
  .refine(isForwardRange, { path: ['from'], message: 'must not be after to' })

export const auditOut = z
  .object({
    id: z.string(),
    at: timeOut(),
    by: z.string().describe('Username, or system for what was done on the machine itself'),
    action: z.string(),
    target: z.string().nullable(),
    detail: z.record(z.string(), z.unknown()).nullable(),
    address: z.string().nullable().describe('Client address'),
  })
  .meta({
    id: 'AuditEntry',
    examples: [
      {
        id: '42',
        at: '2026-11-22T07:30:00.000Z',
        by: 'admin',
        action: 'user.update',
        target: 'anna',
        detail: { role: 'viewer' },
        address: '192.0.2.7',
      },
    ],
  })

export const auditPageOut = pageOut(auditOut).meta({ id: 'AuditPage' })

/** What is shown of an entry. */
export function toAuditJson({ atMs, detail, ...entry }: AuditRecord): z.output<typeof auditOut> {
  const { id, by, action, target, address } = entry
  return { id, at: formatTime(atMs), by, action, target, detail: detail === null ? null : { ...detail }, address }
}
