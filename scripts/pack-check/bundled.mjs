// What bundlers are given: only names, as applications import them.
import * as caisson from 'caisson'
import * as digest from 'caisson/digest'
import * as spec from 'caisson/spec'
import scenario from './scenario.cjs'

scenario(caisson, digest, spec).catch((error) => {
  console.error(error)
  process.exitCode = 1
})
