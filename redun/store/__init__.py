"""Where objects are stored: journals, packs, blobs and refs."""
