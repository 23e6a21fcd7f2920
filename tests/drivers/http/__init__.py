"""Tests of the http driver, against nginx and against scripted sockets."""
