import { Runtime } from 'caisson'
import scenario from '../scenario.cjs'

test('import', async () => {
  const caisson = await import('caisson')
  expect(caisson.Runtime).toBe(Runtime)
  expect(require('caisson').Runtime).toBe(Runtime)
  await scenario(caisson, await import('caisson/digest'), await import('caisson/spec'))
})
