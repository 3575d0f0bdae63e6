/** The media types of images: of the layer of documents, named here for the modules of this one. */
export * from '../spec/media-type.ts'
