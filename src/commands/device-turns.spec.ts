import { setTimeout as sleep } from 'node:timers/promises'
import { DeviceTurns } from './device-turns.js'

describe('turns of devices', () => {
  it('are taken by few at a time, never twice at once for a device, and again when asked for meanwhile', async () => {
    const running = new Set<string>()
    const taken: string[] = []
    let most = 0
    const turns = new DeviceTurns(3, async (deviceId) => {
      expect(running.has(deviceId)).toBe(false)
      running.add(deviceId)
      most = Math.max(most, running.size)
      taken.push(deviceId)
      await sleep(5)
      running.delete(deviceId)
    })
    for (let n = 0; n < 8; n++) for (const again of ['', '', '']) turns.ask(`d${n}${again}`)
    expect(taken).toEqual(['d0', 'd1', 'd2'])
    expect([turns.isAskedAgain('d0'), turns.isAskedAgain('d5')]).toEqual([true, false])
    for (let tries = 0; tries < 1000 && (taken.length < 11 || running.size > 0); tries++) await sleep(5)
    await sleep(30) // nobody has one more
    expect(most).toBe(3)
    expect([...taken].sort()).toEqual(['d0', 'd0', 'd1', 'd1', 'd2', 'd2', 'd3', 'd4', 'd5', 'd6', 'd7'])
  })

  it('end when the server stops', async () => {
    const taken: string[] = []
    const turns = new DeviceTurns(1, async (deviceId) => {
      taken.push(deviceId)
      await sleep(5)
    })
    for (const deviceId of ['a', 'b', 'a']) turns.ask(deviceId)
    turns.stop()
    turns.ask('c')
    await sleep(30)
    expect(taken).toEqual(['a'])
  })
})
