"""Tests of the drivers, one package for each.

This file keeps the directory off ``sys.path``: some of the packages have names of the standard
library's modules.
"""
