// A program of ES modules. It may have loaded the package by `require`, too: that is the same one.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import * as caisson from 'caisson'
import * as digest from 'caisson/digest'
import * as spec from 'caisson/spec'
import scenario from './scenario.cjs'

const require = createRequire(import.meta.url)
for (const [name, imported] of Object.entries({ caisson, 'caisson/digest': digest, 'caisson/spec': spec })) {
  const required = require(name)
  assert.deepEqual(Object.keys(imported).sort(), Object.keys(required).sort())
  for (const [key, value] of Object.entries(imported)) assert.equal(value, required[key], `${name}: ${key}`)
}
await scenario(caisson, digest, spec)
