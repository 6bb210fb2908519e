"""The platform on this machine: started, watched, stopped, saved and brought back from one directory, its home."""
