"""Public conformance suites, fakes and clocks for tests of redun and of what extends it."""
