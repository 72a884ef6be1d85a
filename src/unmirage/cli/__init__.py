"""The command line. Each command has its own module, which only parses options and prints results."""
