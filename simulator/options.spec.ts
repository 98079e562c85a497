import { readCommandLine } from './options.js'

const read = (line: string, environment: NodeJS.ProcessEnv = {}) => readCommandLine(line.split(' '), environment)

describe('readCommandLine', () => {
  it('knows its defaults', () => {
    expect(read('--gpx drive.gpx')).toEqual({
      kind: 'run',
      files: ['drive.gpx'],
      fleet: {
        origin: 'http://127.0.0.1:3000',
        trucks: 1,
        imeiBase: '00990000',
        speedup: 1,
        rebase: false,
        isLive: false,
        batch: 100,
        inFlight: 4,
        ackTimeoutMs: 15_000,
        dropAcks: 0,
        disconnectEveryMs: 0,
        duplicate: false,
        shuffleWindow: 0,
        clockSkewMs: 0,
        alarmsPerHour: 0,
        alarmBurst: 0,
        clipShare: 0,
        uploadWay: 'put',
        resetMs: 3000,
        seed: '1',
        usesSecrets: false,
      },
    })
  })

  it('takes every option', () => {
    const line =
      '--gpx a.gpx b.gpx --server https://fleet.example.com:8443/ --trucks 20 --speedup max --rebase --batch 1000 --in-flight 8 ' +
      '--ack-timeout 2.5 --imei-base 35209900176148 --admin-user root --admin-password pass --secrets --state dir --seed x ' +
      '--duplicate --shuffle 50 --clock-skew -3600 --drop-acks 0.25 --disconnect-every 30 ' +
      '--alarms-per-hour 12.5 --alarm-burst 100 --clips 0.5 --upload tus --reset-time 0.2'
    expect(read(line, { FFMPEG_PATH: '/opt/ffmpeg' })).toMatchObject({
      files: ['a.gpx', 'b.gpx'],
      fleet: {
        origin: 'https://fleet.example.com:8443',
        trucks: 20,
        imeiBase: '35209900176148',
        speedup: 0,
        rebase: true,
        batch: 1000,
        inFlight: 8,
        ackTimeoutMs: 2500,
        dropAcks: 0.25,
        disconnectEveryMs: 30_000,
        alarmsPerHour: 12.5,
        alarmBurst: 100,
        clipShare: 0.5,
        uploadWay: 'tus',
        resetMs: 200,
        ffmpeg: '/opt/ffmpeg',
        duplicate: true,
        shuffleWindow: 50,
        clockSkewMs: -3_600_000,
        seed: 'x',
        admin: { username: 'root', password: 'pass' },
        usesSecrets: true,
        stateDirectory: 'dir',
      },
    })
  })

  it.each([
    ['--protocol teltonika', { protocol: 'teltonika', transport: 'tcp', port: 5027, sack: false }],
    [
      '--protocol teltonika --transport udp --tracker-port 15027',
      { protocol: 'teltonika', transport: 'udp', port: 15_027, sack: false },
    ],
    ['--protocol queclink --sack', { protocol: 'queclink', transport: 'tcp', port: 5004, sack: true }],
    ['--protocol ruptela', { protocol: 'ruptela', transport: 'tcp', port: 5046, sack: false }],
    ['--protocol galileosky', { protocol: 'galileosky', transport: 'tcp', port: 5034, sack: false }],
  ])('knows the customary port of %s', (options, tracker) => {
    expect(read(`--gpx a ${options}`)).toMatchObject({ kind: 'run', fleet: { tracker } })
  })

  it('shuffles the whole drive when no window is named', () => {
    expect(read('--shuffle --gpx a')).toMatchObject({ fleet: { shuffleWindow: Number.POSITIVE_INFINITY } })
  })

  it('gives every alarm a clip when no share is named', () => {
    expect(read('--clips --gpx a')).toMatchObject({ fleet: { clipShare: 1 } })
  })

  it("takes the admin's password from the environment, the option first", () => {
    const environment = { MILEPOST_ADMIN_PASSWORD: 'from-environment' }
    expect(read('--gpx a', environment)).toMatchObject({ fleet: { admin: { password: 'from-environment' } } })
    expect(read('--gpx a --admin-password b', environment)).toMatchObject({ fleet: { admin: { password: 'b' } } })
    expect(read('--gpx a', { MILEPOST_ADMIN_PASSWORD: '' })).not.toHaveProperty('fleet.admin')
  })

  it.each([
    ['--trucks 3', "error: required option '--gpx <file...>' not specified"],
    ['--gpx a --wrong', "error: unknown option '--wrong'"],
    [
      '--gpx a --trucks 0',
      "error: option '--trucks <n>' argument '0' is invalid. It must be a whole number from 1 to 100000.",
    ],
    [
      '--gpx a --trucks x',
      "error: option '--trucks <n>' argument 'x' is invalid. It must be a whole number from 1 to 100000.",
    ],
    [
      '--gpx a --batch 1001',
      "error: option '--batch <n>' argument '1001' is invalid. It must be a whole number from 1 to 1000.",
    ],
    [
      '--gpx a --speedup fast',
      "error: option '--speedup <s>' argument 'fast' is invalid. It must be a number from 0 to 1000000.",
    ],
    [
      '--gpx a --drop-acks 1',
      "error: option '--drop-acks <share>' argument '1' is invalid. It must be a number from 0 to 0.99.",
    ],
    [
      '--gpx a --server ftp://x',
      "error: option '--server <url>' argument 'ftp://x' is invalid. It must be http(s)://host[:port], without a path.",
    ],
    [
      '--gpx a --server http://x/api',
      "error: option '--server <url>' argument 'http://x/api' is invalid. It must be http(s)://host[:port], without a path.",
    ],
    [
      '--gpx a --imei-base 12x',
      "error: option '--imei-base <digits>' argument '12x' is invalid. It must be an IMEI, or up to 14 digits that it begins with.",
    ],
    ['--gpx a --imei-base 99999999999999 --trucks 2', 'error: --imei-base leaves no room for so many trucks'],
    [
      '--gpx a --tracker-port 5027',
      'error: --tracker-port needs --protocol, one of teltonika, queclink, ruptela, galileosky',
    ],
    ['--gpx a --transport tcp', 'error: --transport needs --protocol, one of teltonika, queclink, ruptela, galileosky'],
    ['--gpx a --protocol ruptela --transport udp', 'error: --transport udp is for --protocol teltonika alone'],
    ['--gpx a --protocol teltonika --sack', 'error: --sack is for --protocol queclink alone'],
    [
      '--gpx a --protocol teltonika --secrets --state d',
      'error: --secrets is for --protocol socket: trackers cannot present one',
    ],
    ['--gpx a --protocol teltonika --clips', 'error: --clips is for --protocol socket: trackers have no camera'],
    [
      '--gpx a --protocol garmin',
      "error: option '--protocol <name>' argument 'garmin' is invalid. Allowed choices are socket, teltonika, queclink, ruptela, galileosky.",
    ],
    ['--gpx a --secrets', 'error: --secrets needs --state, where the secrets are kept'],
    [
      '--gpx a --live --rebase',
      'error: --live and --rebase exclude each other: live fixes have the time of their making',
    ],
    ['--gpx a --live --speedup max', 'error: --live needs a pace: --speedup must be more than 0'],
  ])('refuses %s in one line with exit code 2', (line, text) => {
    expect(read(line)).toEqual({ kind: 'end', exitCode: 2, text })
  })

  it('prints its help and ends well', () => {
    const line = read('--help')
    expect(line).toMatchObject({ kind: 'end', exitCode: 0 })
    expect(line.kind === 'end' && line.text.startsWith('Usage: simulate [options]')).toBe(true)
  })
})
