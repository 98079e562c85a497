import { describePort } from './port-use.js'

const CONFIG = {
  PORT: 3000,
  TRACKER_TELTONIKA_PORT: 5027,
  TRACKER_QUECLINK_PORT: 5004,
  TRACKER_RUPTELA_PORT: 5004,
  TRACKER_GALILEOSKY_PORT: 0,
}

describe('describePort', () => {
  it.each([
    [3000, 'port 3000 for HTTP and sockets (PORT)'],
    [5027, 'port 5027 for Teltonika trackers (TRACKER_TELTONIKA_PORT)'],
    [5004, 'port 5004 for Queclink trackers (TRACKER_QUECLINK_PORT) and for Ruptela trackers (TRACKER_RUPTELA_PORT)'],
    [9999, 'port 9999'],
    [undefined, 'the port'],
  ])('says what %s is for and which variable it is', (port, words) => {
    expect(describePort(port, CONFIG)).toBe(words)
  })

  it('names the number alone where no configuration was read', () => {
    expect(describePort(5027, undefined)).toBe('port 5027')
  })
})
