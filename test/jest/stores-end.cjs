/** After a run: removes what suites that failed left on the servers. */
require('./register.cjs')

module.exports = () => require('../stores/test-servers.ts').removeLeftovers()
