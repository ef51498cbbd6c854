"""The parts of scripts/check-clients.py, one module per topic."""
