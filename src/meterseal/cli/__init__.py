"""The `meterseal` command: parse, call one function, print."""
