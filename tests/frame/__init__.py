"""Tests of the frame: everything around a driver."""
