/** A JSON schema validator for draft 4, which both specifications use. */
import { createRequire } from 'node:module'

interface Validator {
  addSchema(schema: object, name: string): void
  getSchema(name: string): ((value: unknown) => unknown) | undefined
}

const require = createRequire(import.meta.url)
const { default: AjvDraft04 } = require('ajv-draft-04') as { default: new (options: object) => Validator }
const { default: addFormats } = require('ajv-formats') as { default: (ajv: Validator) => void }

export class Ajv implements Validator {
  readonly #ajv: Validator

  constructor() {
    this.#ajv = new AjvDraft04({ strict: false, allErrors: false, logger: false })
    addFormats(this.#ajv)
  }

  addSchema(schema: object, name: string): void {
    this.#ajv.addSchema(schema, name)
  }

  getSchema(name: string): ((value: unknown) => unknown) | undefined {
    return this.#ajv.getSchema(name)
  }
}
