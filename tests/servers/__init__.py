"""Servers that tests run against: real ones, and scripted sockets for what real ones do not do."""
