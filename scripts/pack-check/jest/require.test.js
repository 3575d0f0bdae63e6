const scenario = require('../scenario.cjs')

test('require', async () => {
  await scenario(require('caisson'), require('caisson/digest'), require('caisson/spec'))
})
