import { SparseLog } from './sparse-log.js'

describe('lines of what comes often', () => {
  it('are written once in five seconds, with how many others there were', () => {
    let nowMs = 0
    const lines: object[] = []
    const log = new SparseLog<{ n: number }>(
      (fields) => lines.push(fields),
      () => nowMs,
    )
    for (let n = 0; n < 1000; n++) log.tell({ n })
    expect(lines).toEqual([{ n: 0, others: 0 }])
    nowMs = 4999
    log.tell({ n: 1000 })
    nowMs = 5000
    log.tell({ n: 1001 })
    expect(lines).toEqual([
      { n: 0, others: 0 },
      { n: 1001, others: 1000 },
    ])
  })
})
