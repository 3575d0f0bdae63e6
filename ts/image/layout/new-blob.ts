/** Blobs in the making. */
import { OpenLayout } from '../../native/layout.ts'

/**
 * Lets `write` write a file without a name, and moves it to the digest that `write` returns. Without a digest, and
 * after a failure, nothing is left.
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

/** Gives `work` a private directory of the layout, which is removed with its content afterwards. */
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
