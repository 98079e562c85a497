import type { ExecutionContext } from '@nestjs/common'
import { Reflector } from '@nestjs/core'
import { of } from 'rxjs'
import { AppError } from '../model/app-error.js'
import type { DiskGuard } from '../storage/disk-guard.js'
import { WritesNothing } from '../web/writes-nothing.js'
import { DiskFullInterceptor } from './disk-full.interceptor.js'

class Routes {
  save() {}

  @WritesNothing()
  sign() {}
}

describe('DiskFullInterceptor', () => {
  const disk = {
    assertWritable: () => {
      throw new AppError('disk_full')
    },
  } as unknown as DiskGuard
  const interceptor = new DiskFullInterceptor(disk, new Reflector())

  const codeOf = (method: string, url: string, route: 'save' | 'sign') => {
    const context = {
      switchToHttp: () => ({ getRequest: () => ({ method, url }) }),
      getHandler: () => Routes.prototype[route],
    } as unknown as ExecutionContext
    try {
      interceptor.intercept(context, { handle: () => of(1) })
      return 'taken'
    } catch (error) {
      return (error as AppError).code
    }
  }

  it.each([
    ['POST', '/api/v1/alarms', 'save', 'disk_full'],
    ['PUT', '/api/v1/videos/a.mp4', 'save', 'disk_full'],
    ['PATCH', '/api/v1/alarms/1', 'save', 'disk_full'],
    ['POST', '/api/v1/videos/1/link', 'sign', 'taken'],
    ['POST', '/api/v1/auth/login', 'save', 'taken'],
    ['DELETE', '/api/v1/videos/1', 'save', 'taken'],
    ['GET', '/api/v1/alarms', 'save', 'taken'],
  ] as const)('on a full disk %s %s (%s) is %s', (method, url, route, expected) =>
    expect(codeOf(method, url, route)).toBe(expected),
  )
})
