"""Every performance claim as a command that measures it and prints its ratio: `python -m benchmarks NAME`."""
