import { parseMysqlUrl } from './mysql-url.js'

describe('the URL of an SQL server', () => {
  it('is taken apart and decoded, and shown without its password', () => {
    expect(parseMysqlUrl('mariadb://mile%40post:p%2Fw%3A@db.example.com:3307/fleet')).toEqual({
      host: 'db.example.com',
      port: 3307,
      username: 'mile@post',
      password: 'p/w:',
      database: 'fleet',
      shown: 'mariadb://db.example.com:3307/fleet',
    })
  })

  it('has a port by default, and hosts of IPv6 without brackets', () => {
    expect(parseMysqlUrl('mysql://root@[::1]/fleet')).toMatchObject({ host: '::1', port: 3306, password: '' })
  })

  it('takes no parameters, since nobody would obey them', () => {
    expect(() => parseMysqlUrl('mysql://root@db/fleet?ssl=true')).toThrow(
      'cannot open mysql://db/fleet: SQL_URL takes no parameters (?ssl=true); TLS is asked for by SQL_TLS',
    )
  })
})
