require('reflect-metadata')
