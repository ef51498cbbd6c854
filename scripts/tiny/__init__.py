"""What scripts/make-tiny-diffusion.py, judge-tiny.py and the clients share: pictures, captions, models."""
