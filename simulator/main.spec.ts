import { readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { FakeServer } from '../test/simulator/fake-server.js'
import { endSimulators, simulate } from '../test/simulator/simulator-process.js'
import { removeTemporaryDirectories, temporaryDirectory } from '../test/support/temporary-directory.js'
import { readGpx } from './drives/read-gpx.js'

afterAll(removeTemporaryDirectories)

const MUNICH = path.join('test', 'data', 'munich-2014-1hz.gpx')
const FIRST_IMEI = '009900000000002'

let server: FakeServer

async function until(isMet: () => boolean): Promise<void> {
  for (let time = 0; !isMet(); time++) {
    if (time > 10_000) throw new Error('it did not happen')
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

beforeEach(async () => {
  server = await FakeServer.start()
})

afterEach(async () => {
  endSimulators()
  await server.stop()
})

describe('the simulator as a process', () => {
  it('says what it did and exits 0 when everything is settled', async () => {
    const { exitCode, stdout, stderr } = await simulate(
      ...['--gpx', MUNICH, '--server', server.origin, '--speedup', 'max', '--admin-password', 'x', '--trucks', '20'],
    ).ended
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: 'trucks registered: 20, 20 of them new\n' })
    expect(stdout.replace(/\d+\.\d\n/, 'N\n')).toBe(
      [
        'trucks: 20, seconds: N',
        'sent: 23,880 records in 240 events, 0 of them again',
        'settled: 23,880 accepted, 0 duplicates, 0 rejected',
        'reconnects: 0, unanswered events: 0, acks dropped: 0',
        'everything is settled',
        '',
      ].join('\n'),
    )
  })

  it('loses nothing when it is killed again and again', async () => {
    const stateDirectory = temporaryDirectory()
    const args = ['--gpx', MUNICH, '--server', server.origin, '--state', stateDirectory, '--batch', '10']
    let events = 0
    server.judge = () => {
      events++
      if (events % 10 === 0) return 'silence' // lost, and its records with it unless the journal has them
      return events % 10 === 5 ? 'store_in_silence' : 'store'
    }
    for (const killedAfter of [20, 50]) {
      const { child, ended } = simulate(...args, '--speedup', '500', '--ack-timeout', '0.3')
      await until(() => events >= killedAfter)
      child.kill('SIGKILL')
      expect((await ended).signal).toBe('SIGKILL')
    }
    const known = server.storedTimes(FIRST_IMEI).length
    const { exitCode, stdout } = await simulate(...args, '--speedup', 'max', '--ack-timeout', '0.3').ended
    const { fixes } = await readGpx(MUNICH)
    expect(known).toBeLessThan(1194)
    expect(server.storedTimes(FIRST_IMEI)).toEqual(fixes.map(({ timeMs }) => new Date(timeMs).toISOString()))
    expect(exitCode).toBe(0)
    expect(Number(/settled: ([\d,]+) accepted/.exec(stdout)?.[1]?.replace(',', ''))).toBeLessThan(1194)
    expect(readdirSync(stateDirectory)).toEqual([])
  })

  it('stops on SIGINT, sends what it has, and says what is missing', async () => {
    const { child, ended } = simulate('--gpx', MUNICH, '--server', server.origin, '--speedup', '100')
    await until(() => server.events.length >= 3)
    child.kill('SIGINT')
    const { exitCode, stdout } = await ended
    const stored = server.storedTimes(FIRST_IMEI).length
    expect(exitCode).toBe(130)
    expect(stdout).toContain(`settled: ${stored} accepted`)
    expect(stdout).toContain(`not settled: ${(1194 - stored).toLocaleString('en-GB')} records`)
  })

  it('exits 0 when a live drive is stopped and everything made is settled', async () => {
    const { child, ended } = simulate('--gpx', MUNICH, '--server', server.origin, '--live', '--trucks', '2')
    await until(() => server.events.length >= 3)
    child.kill('SIGTERM')
    const { exitCode, stdout } = await ended
    expect(exitCode).toBe(0)
    expect(stdout).toContain('everything is settled')
  })

  it('refuses wrong options and wrong files in one line with exit code 2', async () => {
    const wrong = await simulate('--gpx', MUNICH, '--trucks', 'many').ended
    expect(wrong).toMatchObject({ exitCode: 2, stdout: '' })
    expect(wrong.stderr).toBe(
      "error: option '--trucks <n>' argument 'many' is invalid. It must be a whole number from 1 to 100000.\n",
    )
    const file = path.join(temporaryDirectory(), 'wrong.gpx')
    writeFileSync(file, '<gpx>\n<trkpt lat="x" lon="1">')
    const unreadable = await simulate('--gpx', file, '--server', server.origin).ended
    expect(unreadable).toMatchObject({
      exitCode: 2,
      stdout: '',
      stderr: `error: ${file}, line 2: lat of a track point must be a number from -90 to 90\n`,
    })
  })

  it('says in one line that the admin was refused', async () => {
    server.refuseRest = (called) =>
      called === '/api/v1/auth/login' ? { status: 401, code: 'login_refused' } : undefined
    const { exitCode, stderr } = await simulate(
      ...['--gpx', MUNICH, '--server', server.origin, '--admin-password', 'wrong'],
    ).ended
    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: 'error: signing in as admin: login_refused! (login_refused)\n',
    })
  })
})
