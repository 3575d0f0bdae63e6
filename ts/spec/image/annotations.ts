/** The predefined annotation keys (annotations.md, "Pre-Defined Annotation Keys"). */

/** Keys for indexes, manifests and descriptors; values are strings. */
export const ANNOTATION = {
  /** RFC 3339. */
  created: 'org.opencontainers.image.created',
  /** Contact of the people responsible. */
  authors: 'org.opencontainers.image.authors',
  /** URL. */
  url: 'org.opencontainers.image.url',
  /** URL. */
  documentation: 'org.opencontainers.image.documentation',
  /** URL of the source code. */
  source: 'org.opencontainers.image.source',
  /** Of the packaged software. */
  version: 'org.opencontainers.image.version',
  /** Of the source code. */
  revision: 'org.opencontainers.image.revision',
  /** Name of the distributing entity. */
  vendor: 'org.opencontainers.image.vendor',
  /** SPDX licence expression. */
  licenses: 'org.opencontainers.image.licenses',
  /** Name of a reference; valid in index.json of a layout only. */
  refName: 'org.opencontainers.image.ref.name',
  /** Human-readable. */
  title: 'org.opencontainers.image.title',
  /** Human-readable. */
  description: 'org.opencontainers.image.description',
  /** Digest of the base image. */
  baseDigest: 'org.opencontainers.image.base.digest',
  /** Reference of the base image. */
  baseName: 'org.opencontainers.image.base.name',
} as const

/** A predefined key. */
export type AnnotationKey = (typeof ANNOTATION)[keyof typeof ANNOTATION]

/** Keys of label-schema.org and their replacements (annotations.md, "Back-compatibility with Label Schema"). */
export const LABEL_SCHEMA: Readonly<Record<string, AnnotationKey>> = {
  'org.label-schema.build-date': ANNOTATION.created,
  'org.label-schema.url': ANNOTATION.url,
  'org.label-schema.vcs-url': ANNOTATION.source,
  'org.label-schema.version': ANNOTATION.version,
  'org.label-schema.vcs-ref': ANNOTATION.revision,
  'org.label-schema.vendor': ANNOTATION.vendor,
  'org.label-schema.name': ANNOTATION.title,
  'org.label-schema.description': ANNOTATION.description,
  'org.label-schema.usage': ANNOTATION.documentation,
}
