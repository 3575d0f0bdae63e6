/** Files that appear whole or not at all. */
import { placeFile } from '../../native/archive.ts'

/** Old or new, never half. The umask takes from `mode`. */
export async function replaceFile(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  await placeFile(path, Buffer.from(content), { mode, replace: true })
}
