"""Python values as objects: the type registry and the codecs."""
