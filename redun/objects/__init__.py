"""What is stored: pure encode and decode, no I/O, no clock."""
