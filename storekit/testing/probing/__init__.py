"""Probing: what a store really does, measured beside what it declares."""
