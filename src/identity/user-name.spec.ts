import { isUserName } from './user-name.js'

describe('isUserName', () => {
  it.each(['a', 'anna', 'anna.b_c-d@example.com', '0', 'x'.repeat(64)])('takes %s', (name) => {
    expect(isUserName(name)).toBe(true)
  })

  it.each(['', 'x'.repeat(65), 'anna b', 'anna/b', 'änna', '.', '..', 'system', 'anna\n'])('refuses %p', (name) => {
    expect(isUserName(name)).toBe(false)
  })
})
