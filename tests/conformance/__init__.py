"""The drivers, held to the contract: a harness and a test module for each."""
