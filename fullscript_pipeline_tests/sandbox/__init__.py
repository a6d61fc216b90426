"""Tests of the sandbox. They know its insides; other rooms use `sandbox_server` only."""
