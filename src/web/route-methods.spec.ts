import fastify from 'fastify'
import { RouteMethods } from './route-methods.js'

describe('RouteMethods', () => {
  const methods = new RouteMethods()
  beforeAll(async () => {
    const app = fastify({ exposeHeadRoutes: false })
    methods.watch(app)
    const answer = async () => ''
    app.get('/alarms', answer)
    app.post('/alarms', answer)
    app.get('/alarms/summary', answer)
    app.get('/alarms/:id', answer)
    app.patch('/alarms/:alarmId', answer)
    app.get('/alarms/:id/files/:name', answer)
    await app.ready()
    await app.close()
  })

  it.each([
    ['/alarms', ['GET', 'POST']],
    ['/alarms/7', ['GET', 'PATCH']],
    ['/alarms/summary', ['GET', 'PATCH']],
    ['/alarms/7/files/a.mp4', ['GET']],
    ['/alarms/', []],
    ['/alarms/7/files', []],
    ['/nothing', []],
  ])('knows what %s takes: %p', (path, allowed) => expect(methods.allowedAt(path)).toEqual(allowed))
})
