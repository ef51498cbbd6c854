"""The parts of scripts/clients/check-clients.py, one module per topic."""
