import { describeOn } from '../../../test/stores/describe-on.js'
import { openFreshMysql } from '../../../test/stores/open-mysql-data-source.js'
import { typeormRecordsContract } from './typeorm-records.contract.js'

describeOn('SQL_URL', 'on MySQL or MariaDB', () => {
  typeormRecordsContract('the server of SQL_URL', openFreshMysql)
})
