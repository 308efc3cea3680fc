"""Benchmarks: speed, accuracy, and the generators they need."""
