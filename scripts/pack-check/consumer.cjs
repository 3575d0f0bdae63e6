// A program of CommonJS modules.
const scenario = require('./scenario.cjs')

scenario(require('caisson'), require('caisson/digest'), require('caisson/spec')).catch((error) => {
  console.error(error)
  process.exitCode = 1
})
