"""The parts of scripts/fuzz/attack.py, one module per topic."""
