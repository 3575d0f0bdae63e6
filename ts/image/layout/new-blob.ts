/** Blobs in the making. */
import { OpenLayout } from '../../native/layout.ts'

/**
 * Lets `write` write a file that has no name yet, and gives it its place under the digest that `write` answers with. Without
 * one, and after a failure, nothing is left of it.
 */
export async function writeNewBlob<T extends { readonly digest?: string | undefined }>(
  layout: { readonly path: string },
  write: (path: string) => Promise<T>,
): Promise<T> {
  using directory = await OpenLayout.open(layout.path)
  const blob = await directory.newBlob()
  const written = await write(blob.path)
  if (written.digest !== undefined) await blob.place(written.digest)
  return written
}

/** Lets `work` have a private directory of the layout, which is removed afterwards with all it holds. */
export async function withSpool<T>(
  layout: { readonly path: string },
  work: (path: string) => Promise<T>,
): Promise<T> {
  using directory = await OpenLayout.open(layout.path)
  const spool = await directory.newSpool()
  try {
    return await work(spool.path)
  } finally {
    await spool.discard()
  }
}
