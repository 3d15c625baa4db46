"""What the command ``confguard`` does, one file a command; what several need stands in a file of its own."""
