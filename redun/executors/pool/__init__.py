"""Worker processes on this machine: how they are started, fed, watched and ended."""
