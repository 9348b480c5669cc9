"""What every executor off this machine shares."""
