"""The parts of scripts/attack.py, one module per topic."""
