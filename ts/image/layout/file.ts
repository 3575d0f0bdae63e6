/** Atomic writes of files. */
import { placeFile } from '../../native/archive.ts'

/** Replaces a file atomically. The umask applies to `mode`. */
export async function replaceFile(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  await placeFile(path, Buffer.from(content), { mode, replace: true })
}
