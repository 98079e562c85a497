require('reflect-metadata')

// The AWS SDK says in each process that it will want a newer Node from 2027 on; who runs the tests has nothing to do about it.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true'
